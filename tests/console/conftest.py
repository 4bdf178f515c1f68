"""A running session, the console beside it, and a real browser in front."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tenon_session.testing.sessions import picture_session
from tenon_session.testing.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_BROWSER = "no chromium on this machine: sudo apt-get install chromium, or make setup where it may install packages"
HORIZON_STEPS = 600
"""A minute: an episode does not end by itself while a test is about it."""
TIMEOUT_MS = 60_000
END_TIMEOUT_S = 60.0
VIEWPORT = {"width": 1280, "height": 800}


def console_session(directory: Path) -> dict[str, Any]:
    """Trains on small pictures, at the pace of a real arm; the on-screen control may drive it."""
    directory.mkdir(parents=True, exist_ok=True)
    task = directory / "long.yaml"
    task.write_text(yaml.safe_dump({"connector": "easy", "horizon_steps": HORIZON_STEPS}))
    changes = {
        "controller": "residual",
        "task": str(task),
        "teleop": "console",
        "teleop_timeout_s": 0.15,
        "real_time_factor": 1.0,
        "lockstep_timeout_s": 1.0,
        "episodes": 1000,
        "reset": {},
    }
    return picture_session(directory, "awac", **changes)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("console")
    with Stage(console_session(directory), directory).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(stage: Stage) -> Iterator[str]:
    """Of a console that has joined the session."""
    command = [sys.executable, "-m", "tenon.cli.main", "console", "--port", "0", "--runs"]
    log = stage.log_directory / "console.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, str(stage.run_directory)], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), log.read_text()
        yield line
    finally:
        process.terminate()
        status = process.wait(END_TIMEOUT_S)
    assert status == 0, log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(NO_BROWSER)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The session's page. A script that fails in the browser fails the test."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert failures == []
