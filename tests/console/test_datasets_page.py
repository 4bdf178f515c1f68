"""The page Datasets, without a browser: whose report is shown, and what may be repaired."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from nicegui import ui

from tenon.console.web import datasets_page
from tenon.console.web.context import Context
from tenon.control.phase import SessionPhase
from tenon.data.episode_lock import lock_episode_file
from tenon.data.marks import mark_episode
from tenon.data.repair import repair_episode
from tenon.data.store import EpisodeStore

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
    record(tmp_path / "anna", 5).rename(part)
    (part / "episode_000005_0.mcap").rename(part / "episode_000005_0.mcap.part")
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
    with (root / "anna" / "episodes" / PART / "episode_000005_0.mcap.part").open("rb+") as file:
        lock_episode_file(file.fileno())

        async def act(user: User) -> None:
            await choose(user, "anna")
            assert f"{PART} is being recorded" in texts(user, ui.label)
            assert f"Repair {PART}" not in texts(user, ui.button)

        simulate(datasets_page.build, context, act)


def test_episode_is_offered_for_repair_as_soon_as_its_recorder_is_gone(
    root: Path, context: Context, simulate: Simulate
) -> None:
    """Whatever session goes on, and however little ago the part was written."""
    state = {"session": "anna", "phase": int(SessionPhase.RUNNING), "detail": "", "episode": 5}
    context.model.on_session_state(SimpleNamespace(**state, controller="residual", record=True, train=False))
    context.model.on_graph(["session_manager"], None)

    async def act(user: User) -> None:
        await choose(user, "anna")
        assert f"Repair {PART}" in texts(user, ui.button)

    simulate(datasets_page.build, context, act)


def test_only_what_needs_repair_is_counted_and_offered(
    root: Path, context: Context, simulate: Simulate, record: Record
) -> None:
    """Not the repaired form that a whole original makes needless, nor an original that a repaired form stands for."""
    episodes = root / "anna" / "episodes"
    for number in (6, 7):
        damage(record(root / "anna", number))
        repair_episode(episodes / f"episode_{number:06d}")
    shutil.rmtree(episodes / "episode_000006")
    record(root / "anna", 6)

    async def act(user: User) -> None:
        await choose(user, "anna")
        overview = min(user.find(kind=ui.table).elements, key=lambda element: element.id)
        assert {row["run"]: row["to repair"] for row in overview.rows} == {"anna": 1, "berta": 0}
        assert [text for text in texts(user, ui.button) if text.startswith("Repair")] == [f"Repair {PART}"]

    simulate(datasets_page.build, context, act)


def test_part_without_a_message_may_be_deleted_and_is_not_offered_for_repair(
    root: Path, context: Context, simulate: Simulate
) -> None:
    (root / "anna" / "episodes" / PART / "episode_000005_0.mcap.part").write_bytes(b"")

    async def act(user: User) -> None:
        await choose(user, "anna")
        assert f"{PART} holds no message and may be deleted" in texts(user, ui.label)
        assert not any(text.startswith("Repair") for text in texts(user, ui.button))

    simulate(datasets_page.build, context, act)


@pytest.mark.parametrize(("end", "kind"), [(0, "warning"), (-100, "positive")])
def test_repair_is_called_a_success_only_where_it_made_something(
    root: Path,
    context: Context,
    simulate: Simulate,
    monkeypatch: pytest.MonkeyPatch,
    end: int,
    kind: str,
) -> None:
    """Of a finished one, which is offered whatever is left of it."""
    file = root / "berta" / "episodes" / "episode_000000" / "episode_000000_0.mcap"
    file.write_bytes(file.read_bytes()[:end])
    said: list[str] = []

    async def act(user: User) -> None:
        notify = user.notify.__class__
        monkeypatch.setattr(notify, "__call__", lambda *_, type, **__: said.append(type))
        await choose(user, "berta")
        user.find("Repair episode_000000").click()
        await until(lambda: said, "the word on the repair")
        assert said == [kind]

    simulate(datasets_page.build, context, act)


def test_later_mark_of_an_episode_is_shown_with_who_set_it(root: Path, context: Context, simulate: Simulate) -> None:
    episode = EpisodeStore(root / "berta" / "episodes").episode(0)
    mark_episode(episode.layout, episode.contract, "discard", by="ana", at=datetime(2026, 3, 2, tzinfo=UTC))

    async def act(user: User) -> None:
        await choose(user, "berta")
        overview, shown = sorted(user.find(kind=ui.table).elements, key=lambda element: element.id)[:2]
        assert {row["run"]: row["success"] for row in overview.rows} == {"anna": "100 %", "berta": "–"}
        assert [row["mark"] for row in shown.rows] == ["discard (ana)"]

    simulate(datasets_page.build, context, act)


def damage(path: Path) -> None:
    """Cuts a finished episode's end off."""
    file = next(path.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-100])
