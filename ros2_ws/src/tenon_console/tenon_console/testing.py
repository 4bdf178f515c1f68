"""For tests and benchmarks: the console as a process, a real browser, a session to watch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tenon_session.graph import die_with_parent
from tenon_session.testing.sessions import picture_session

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no chromium on this machine: sudo apt-get install chromium, or make setup where it may install packages"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HORIZON_STEPS = 600
"""A minute: an episode does not end by itself while a test is about it."""
END_TIMEOUT_S = 60.0


class NoBrowserError(RuntimeError):
    """There is none on this machine. The message says how to get one."""


@dataclass(frozen=True, slots=True)
class ConsoleProcess:
    """A console that serves. address: with scheme and port."""

    process: subprocess.Popen[str]
    address: str


def console_session(directory: Path, *, horizon_steps: int = HORIZON_STEPS) -> dict[str, Any]:
    """A session that trains on small pictures, at the pace of a real arm; the on-screen control may drive it."""
    directory.mkdir(parents=True, exist_ok=True)
    task = directory / "long.yaml"
    task.write_text(yaml.safe_dump({"connector": "easy", "horizon_steps": horizon_steps}))
    changes = {
        "controller": "residual",
        "task": str(task),
        "teleop": "console",
        "teleop_timeout_s": 0.15,
        "real_time_factor": 1.0,
        "lockstep_timeout_s": 5.0,
        "state_rate_hz": 50.0,
        "inner_rate_hz": 100.0,
        "episodes": 1000,
        "reset": {},
    }
    return picture_session(directory, "awac", **changes)


@contextmanager
def open_console(runs: Path, log: Path) -> Iterator[ConsoleProcess]:
    """`tenon console` on any free port of this machine; at the end it must end in order. Raises AssertionError."""
    command = [sys.executable, "-m", "tenon.cli.main", "console", "--port", "0", "--runs", str(runs)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=die_with_parent()
        )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), log.read_text()
        yield ConsoleProcess(process, address)
    finally:
        process.terminate()
        status = process.wait(END_TIMEOUT_S)
    assert status == 0, log.read_text()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium. Raises NoBrowserError."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise NoBrowserError(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()
