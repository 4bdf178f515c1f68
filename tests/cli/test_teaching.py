"""A person who teaches poses: the arm gives way only while somebody is asked."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from emulated import Terminal

from tenon.cli.errors import UsageError
from tenon.cli.teaching import TaughtStand
from tenon_session.teaching import StandError


class Arm:
    """What a TeachingNode is asked for."""

    def __init__(self) -> None:
        self.gives_way = False
        self.asked: list[bool] = []

    def expect_freedrive(self) -> None:
        """It has it."""

    def give_way(self, *, on: bool) -> None:
        self.gives_way = on
        self.asked.append(on)


@pytest.fixture
def stand() -> TaughtStand:
    return TaughtStand(setup=SimpleNamespace(), node=Arm(), simulated=False)  # type: ignore[arg-type]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    opened = Terminal()
    with os.fdopen(os.dup(opened.descriptor), "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield opened
    opened.close()


def test_arm_does_not_give_way_where_nobody_can_answer(stand: TaughtStand, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(UsageError, match="run it in a terminal"):
            stand.by_hand("guide it")
    assert stand.node.asked == []


def test_arm_that_cannot_be_guided_is_asked_for_nothing(
    stand: TaughtStand, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_missing() -> None:
        raise StandError("no node offers arm/freedrive")

    monkeypatch.setattr(stand.node, "expect_freedrive", is_missing)
    with pytest.raises(StandError, match="freedrive"):
        stand.by_hand("guide it")
    assert stand.node.asked == []


def test_arm_holds_again_when_it_gave_way_and_its_answer_was_not_awaited(
    stand: TaughtStand, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*, on: bool) -> None:
        Arm.give_way(stand.node, on=on)
        if on:
            raise KeyboardInterrupt

    monkeypatch.setattr(stand.node, "give_way", broken_off)
    with pytest.raises(KeyboardInterrupt):
        stand.by_hand("guide it")
    assert stand.node.asked == [True, False]


def test_arm_holds_again_when_the_question_is_broken_off(
    stand: TaughtStand, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_words: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tenon.cli.teaching.note", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stand.by_hand("guide it")
    assert stand.node.asked == [True, False]


def test_enter_that_was_typed_before_the_question_does_not_answer_it(
    stand: TaughtStand, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.type("\n")
    answered = []

    def person(_words: Any) -> None:
        answered.append(stand.node.gives_way)
        terminal.type("\n")

    monkeypatch.setattr("tenon.cli.teaching.note", person)
    stand.by_hand("guide it")
    assert answered == [True]
    assert not stand.node.gives_way
    waiting, _, _ = select.select([sys.stdin], [], [], 0)
    assert not waiting, "one answer for one question"
