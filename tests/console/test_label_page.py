"""The page Label, without a browser: whatever is ready when, what is shown and kept is what was chosen last."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nicegui import ui

from tenon.console import labelling
from tenon.console.comparison import Comparison, comparisons
from tenon.console.labelling import EpisodeLabelling
from tenon.console.web import label_page, parts
from tenon.console.web.context import Context
from tenon.data.labels import LabelStore, frame_count
from tenon.data.store import read_episode
from tenon_session.testing.sessions import constant_classifier

if TYPE_CHECKING:
    from nicegui.testing import User

TIMEOUT_S = 10.0
SETTLE_S = 0.3
"""Long enough for what must not happen."""
PICTURE_BYTES = 64 * 64 * 3
Simulate = Callable[[Callable[[Context], None], Context, Callable[["User"], Awaitable[None]]], None]


class Gate:
    """Holds up calls of a function whose first argument, in words, holds a text, until it is opened."""

    def __init__(self, function: Callable[..., Any], text: str) -> None:
        self._function, self._text = function, text
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self._text in str(arguments[0]):
            self.entered.set()
            assert self.opened.wait(TIMEOUT_S)
        return self._function(*arguments, **named)


@pytest.fixture
def root(tmp_path: Path, record: Callable[[Path, int], Path]) -> Path:
    """Two runs: one of episodes 0 and 1, one of episode 7."""
    for number in (0, 1):
        record(tmp_path / "anna", number)
    record(tmp_path / "berta", 7)
    return tmp_path


def show(context: Context) -> None:
    label_page.build(context, "anna")


def one(user: User, kind: type[Any], marked: str | None = None) -> Any:
    """The first element of a kind, in order of the page."""
    found = user.find(kind=kind, content=marked) if marked else user.find(kind=kind)
    return min(found.elements, key=lambda element: element.id)


async def until(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        await asyncio.sleep(0.02)


def listed(user: User) -> list[int]:
    return [row["episode"] for row in one(user, ui.table).rows]


async def choose(user: User, root: Path, run: str) -> None:
    await until(lambda: one(user, ui.select).options, "the list of recordings")
    with user.client:
        one(user, ui.select).value = str(root / run / "episodes")


def click_row(user: User, number: int) -> None:
    row = next(row for row in one(user, ui.table).rows if row["episode"] == number)
    user.find(kind=ui.table).trigger("rowClick", [None, row, 0])


def said(user: User, text: str) -> bool:
    return any(text in label.text for label in user.find(kind=ui.label).elements)


async def open_episode(user: User, number: int) -> None:
    await until(lambda: number in listed(user), "the list of episodes")
    click_row(user, number)
    await until(lambda: said(user, f"episode_{number:06d}: frame"), "the episode's frames")


def press(user: User, key: str, *, repeat: bool = False) -> None:
    modifiers = dict.fromkeys(("altKey", "ctrlKey", "shiftKey", "metaKey"), False)
    event = {"action": "keydown", "key": key, "code": key, "location": 0, "repeat": repeat, **modifiers}
    user.find(kind=ui.keyboard).trigger("key", event)


def kept(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("*/episodes/labels/*/*.json"))


def test_what_is_open_is_closed_when_other_recordings_are_chosen(
    root: Path, context: Context, simulate: Simulate
) -> None:
    async def act(user: User) -> None:
        await open_episode(user, 1)
        assert said(user, "anna, episode_000001")
        await choose(user, root, "berta")
        await until(lambda: listed(user) == [7], "the other list")
        press(user, "s")
        await asyncio.sleep(SETTLE_S)
        assert not said(user, "episode_000001")
        assert kept(root) == []

    simulate(show, context, act)


def test_marks_that_are_not_kept_wait_while_other_episodes_and_recordings_are_looked_at(
    root: Path, context: Context, simulate: Simulate
) -> None:
    async def act(user: User) -> None:
        await open_episode(user, 1)
        for key in ("ArrowRight", "ArrowRight", " "):
            press(user, key)
        await until(lambda: said(user, "frame 2 of") and said(user, "marks not saved"), "the mark")
        await open_episode(user, 0)
        assert user.notify.messages == [
            "anna, episode_000001: its marks are not saved; they are there when you open it again"
        ]
        await choose(user, root, "berta")
        await until(lambda: listed(user) == [7], "the other list")
        await choose(user, root, "anna")
        await open_episode(user, 1)
        assert said(user, "frame 2 of") and said(user, "marks not saved")
        press(user, "s")
        await until(lambda: kept(root), "the labels")
        await until(lambda: not said(user, "marks not saved"), "the word that all is kept")
        labels = LabelStore(root / "anna/episodes").latest(read_episode(root / "anna/episodes/episode_000001"))
        assert labels is not None and labels.marks == (2, 5)
        await open_episode(user, 0)
        assert len(user.notify.messages) == 2, "what was kept does not wait"

    simulate(show, context, act)


def test_marks_that_waited_give_way_to_somebodys_newer_labels_and_are_told(
    root: Path, context: Context, simulate: Simulate
) -> None:
    async def act(user: User) -> None:
        folder = root / "anna" / "episodes"
        await open_episode(user, 1)
        for key in ("ArrowRight", " "):
            press(user, key)
        await open_episode(user, 0)
        episode = read_episode(folder / "episode_000001")
        LabelStore(folder).save(episode, frame_count(episode), (3,), by="ada", at=datetime.now(UTC), seen_version=0)
        await open_episode(user, 1)
        assert "ada has labelled it meanwhile, which is what you see. Your marks were: 1, 5" in user.notify.messages[-1]
        assert not said(user, "marks not saved")
        await open_episode(user, 0)
        await open_episode(user, 1)
        assert len(user.notify.messages) == 2, "it is told once"

    simulate(show, context, act)


def test_list_that_is_read_slowly_does_not_stand_under_other_recordings(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Gate(label_page.episodes_to_label, "anna")
    monkeypatch.setattr(label_page, "episodes_to_label", slow)

    async def act(user: User) -> None:
        await until(slow.entered.is_set, "reading the first list")
        await choose(user, root, "berta")
        await until(lambda: listed(user) == [7], "the other list")
        slow.opened.set()
        await asyncio.sleep(SETTLE_S)
        assert listed(user) == [7]

    simulate(show, context, act)


def test_proposals_for_some_recordings_do_not_stand_under_others(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    constant_classifier(root / "daib", 4.0, size_px=64)
    slow = Gate(label_page.comparisons, "anna")
    monkeypatch.setattr(label_page, "comparisons", slow)

    async def act(user: User) -> None:
        judge = sorted(user.find(kind=ui.select).elements, key=lambda element: element.id)[1]
        await until(lambda: judge.options and listed(user), "the choices")
        with user.client:
            judge.value = str(root / "daib")
        user.find("Propose").click()
        await until(slow.entered.is_set, "the look at the frames")
        await choose(user, root, "berta")
        await until(lambda: listed(user) == [7], "the other list")
        slow.opened.set()
        await until(lambda: one(user, ui.button, "Propose").enabled, "the end of the look")
        await asyncio.sleep(SETTLE_S)
        assert [(row["episode"], row["classifier"]) for row in one(user, ui.table).rows] == [(7, "–")]
        assert not said(user, "differs most")

    simulate(show, context, act)


def test_labels_of_other_frames_are_said_to_be_so_and_all_is_compared(
    root: Path, context: Context, simulate: Simulate
) -> None:
    folder = root / "anna" / "episodes"
    constant_classifier(root / "daib", 4.0, size_px=64)
    episode = read_episode(folder / "episode_000001")
    LabelStore(folder).save(episode, 50, (48,), by="ada", at=datetime.now(UTC), seen_version=0)

    async def act(user: User) -> None:
        judge = sorted(user.find(kind=ui.select).elements, key=lambda element: element.id)[1]
        await until(lambda: judge.options and listed(user), "the choices")
        with user.client:
            judge.value = str(root / "daib")
        user.find("Propose").click()
        await until(lambda: said(user, "differs most"), "the look at the frames")
        await until(lambda: all(row["classifier"] != "–" for row in one(user, ui.table).rows), "the comparison")
        shown = {row["episode"]: row["labels"] for row in one(user, ui.table).rows}
        assert shown == {0: "–", 1: "of other frames (ada)"}

    simulate(show, context, act)


def test_of_two_rows_that_are_clicked_the_second_is_opened(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Gate(labelling.load_frames, "episode_000000")
    monkeypatch.setattr(labelling, "load_frames", slow)

    async def act(user: User) -> None:
        await until(lambda: listed(user) == [0, 1], "the list")
        click_row(user, 0)
        await until(slow.entered.is_set, "reading the first")
        await open_episode(user, 1)
        slow.opened.set()
        await asyncio.sleep(SETTLE_S)
        assert said(user, "episode_000001: frame")

    simulate(show, context, act)


def test_labels_that_are_kept_late_bring_no_list_under_other_recordings(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Gate(EpisodeLabelling.save, "")
    monkeypatch.setattr(EpisodeLabelling, "save", lambda *arguments, **named: slow(*arguments, **named))

    async def act(user: User) -> None:
        await open_episode(user, 1)
        press(user, "s")
        await until(slow.entered.is_set, "keeping the labels")
        await choose(user, root, "berta")
        await until(lambda: listed(user) == [7], "the other list")
        slow.opened.set()
        await until(lambda: kept(root), "the labels")
        await asyncio.sleep(SETTLE_S)
        assert listed(user) == [7]
        assert not said(user, "episode_000001: frame")

    simulate(show, context, act)


def test_labels_that_are_not_kept_since_others_are_being_saved_are_said_to_be_so(
    root: Path, context: Context, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Gate(EpisodeLabelling.save, "")
    monkeypatch.setattr(EpisodeLabelling, "save", lambda *arguments, **named: slow(*arguments, **named))

    async def act(user: User) -> None:
        await open_episode(user, 1)
        press(user, "s")
        await until(slow.entered.is_set, "keeping the labels")
        await open_episode(user, 0)
        press(user, "s")
        waits = "episode_000001 is still being saved: save episode_000000 once that is done"
        await until(lambda: user.notify.messages == [waits], "what is said of the second")
        slow.opened.set()
        await until(lambda: len(kept(root)) == 1, "the first labels")
        await until(lambda: len(user.notify.messages) == 2, "what is said of the first")
        press(user, "s")
        await until(lambda: len(kept(root)) == 2, "the second labels")

    simulate(show, context, act)


def test_held_key_keeps_the_labels_once_and_nothing_is_kept_that_has_not_changed(
    root: Path, context: Context, simulate: Simulate
) -> None:
    async def act(user: User) -> None:
        await open_episode(user, 1)
        for repeat in (False, True, True, False):
            press(user, "s", repeat=repeat)
        first = ["anna/episodes/labels/episode_000001/000001.json"]
        await until(lambda: kept(root) == first, "the labels")
        await asyncio.sleep(SETTLE_S)
        press(user, "s")
        await asyncio.sleep(SETTLE_S)
        assert kept(root) == first
        await until(lambda: user.notify.messages, "the word that it is kept")
        assert user.notify.messages == ["anna, episode_000001: version 1 is kept"]
        press(user, " ")
        press(user, " ", repeat=True)
        press(user, "s")
        await until(lambda: len(kept(root)) == 2, "the changed labels")

    simulate(show, context, act)


def test_of_what_a_classifier_looked_at_no_pictures_are_kept(root: Path) -> None:
    constant_classifier(root / "daib", 4.0, size_px=64)
    found = comparisons(root / "anna" / "episodes", root / "daib")
    assert [comparison.episode.number for comparison in found] != []
    assert all(isinstance(comparison, Comparison) for comparison in found)
    assert len(pickle.dumps(found)) < PICTURE_BYTES


def test_dialog_is_deleted_when_it_is_closed(context: Context, simulate: Simulate) -> None:
    def build(_context: Context) -> None:
        with parts.dialog("w-80"):
            ui.label("a picture of a megabyte")

    async def act(user: User) -> None:
        assert said(user, "a picture of a megabyte")
        user.find(kind=ui.dialog).trigger("hide")
        await user.should_not_see(kind=ui.label)

    simulate(build, context, act)
