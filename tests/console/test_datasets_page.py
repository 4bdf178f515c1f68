"""The page Datasets, without a browser: whose report is shown, and what may be repaired."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from nicegui import ui

from tenon.console.web import datasets_page
from tenon.console.web.context import Context
from tenon.console.web.datasets_page import QUIET_S
from tenon.control.phase import SessionPhase

if TYPE_CHECKING:
    from nicegui.testing import User

TIMEOUT_S = 10.0
PART = "episode_000005.part"
Record = Callable[[Path, int], Path]
Simulate = Callable[[Callable[[Context], None], Context, Callable[["User"], Awaitable[None]]], None]


@pytest.fixture
def root(tmp_path: Path, record: Record) -> Path:
    """Two runs with an episode each; the first has one that was not finished."""
    for run in ("anna", "berta"):
        record(tmp_path / run, 0)
    part = tmp_path / "anna" / "episodes" / PART
    part.mkdir()
    (part / "episode_000005_0.mcap.part").write_bytes(b"")
    return tmp_path


async def until(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        await asyncio.sleep(0.02)


def texts(user: User, kind: type[Any]) -> list[str]:
    """Of all elements of a kind on the page."""
    return [element.text for element in user.find(kind=kind).elements]


async def choose(user: User, run: str) -> None:
    await until(lambda: ui.table in {type(element) for element in user.client.elements.values()}, "the list")
    overview = min(user.find(kind=ui.table).elements, key=lambda element: element.id)
    row = next(row for row in overview.rows if row["run"] == run)
    user.find(kind=ui.table).trigger("rowClick", [None, row, 0])
    await until(lambda: any(text.endswith(f"/{run}/episodes") for text in texts(user, ui.label)), "the run's episodes")


def recording(context: Context) -> None:
    """The console sees a session that records."""
    state = {"session": "anna", "phase": int(SessionPhase.RUNNING), "detail": "", "episode": 5}
    context.model.on_session_state(SimpleNamespace(**state, controller="residual", record=True, train=False))
    context.model.on_graph(["session_manager"], None)


def test_report_names_its_run_and_stays_its_own_when_another_run_is_chosen(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, over, verify = threading.Event(), threading.Event(), datasets_page.verify

    def slow(folder: Path) -> Iterator[Any]:
        going_on.set()
        assert over.wait(TIMEOUT_S)
        yield from verify(folder)

    monkeypatch.setattr(datasets_page, "verify", slow)

    async def act(user: User) -> None:
        await choose(user, "berta")
        user.find("Verify").click()
        await until(going_on.is_set, "the verification")
        assert not next(iter(user.find(kind=ui.button, content="Verify").elements)).enabled
        await choose(user, "anna")
        over.set()
        await until(lambda: any("messages read" in text for text in texts(user, ui.label)), "the report")
        said = next(text for text in texts(user, ui.label) if "messages read" in text)
        assert said.startswith("berta: 1 episodes")

    simulate(datasets_page.build, context, act)


def test_episode_that_is_being_recorded_is_not_offered_for_repair(
    root: Path, context: Context, simulate: Simulate
) -> None:
    recording(context)

    async def act(user: User) -> None:
        await choose(user, "anna")
        assert f"{PART} is being recorded" in texts(user, ui.label)
        assert f"Repair {PART}" not in texts(user, ui.button)

    simulate(datasets_page.build, context, act)


@pytest.mark.parametrize("is_recording", [False, True])
def test_episode_that_was_cut_off_is_offered_for_repair(
    root: Path, context: Context, simulate: Simulate, is_recording: bool
) -> None:
    if is_recording:  # another one
        recording(context)
        part, before_s = root / "anna" / "episodes" / PART, time.time() - 2 * QUIET_S
        for path in (*part.iterdir(), part):
            os.utime(path, (before_s, before_s))

    async def act(user: User) -> None:
        await choose(user, "anna")
        assert f"Repair {PART}" in texts(user, ui.button)

    simulate(datasets_page.build, context, act)
