"""Episodes are cut by the numbers in their messages, in whatever order the topics arrive."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.data.episode_sorter import PATIENCE_NS, EpisodeSorter

STEPS = 4
Message = tuple[str, int, int]
"""("begin" | "step" | "summary", episode, step)."""


class Files:
    """What was written, and the sorter that did."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, list[bytes], str | None, bool]] = []
        self._open: tuple[str, list[bytes]] | None = None
        self.sorter: EpisodeSorter[str, str] = EpisodeSorter(self._begin, self._write, self._end)

    def take(self, message: Message, now_ns: int = 0, *, kept: bool = True) -> None:
        kind, episode, step = message
        if kind == "begin":
            self.sorter.on_begin(episode, f"contract {episode}" if kept else None, now_ns)
        elif kind == "step":
            self.sorter.on_transition(episode, step_of(episode, step))
        else:
            self.sorter.on_summary(episode, f"summary {episode}", STEPS)

    def _begin(self, announcement: str) -> None:
        assert self._open is None, "one at a time"
        self._open = (announcement, [])

    def _write(self, data: bytes) -> None:
        assert self._open is not None
        self._open[1].append(data)

    def _end(self, summary: str | None, complete: bool) -> None:
        assert self._open is not None
        self.finished.append((*self._open, summary, complete))
        self._open = None


def step_of(episode: int, step: int) -> bytes:
    return f"{episode}/{step}".encode()


def whole(episode: int) -> tuple[str, list[bytes], str, bool]:
    steps = [step_of(episode, step) for step in range(STEPS)]
    return f"contract {episode}", steps, f"summary {episode}", True


@pytest.mark.parametrize("seed", range(50))
def test_any_order_of_the_topics_gives_the_same_files(seed: int) -> None:
    generator = np.random.default_rng(seed)
    topics: list[list[Message]] = [
        [("begin", episode, 0) for episode in range(5)],
        [("step", episode, step) for episode in range(5) for step in range(STEPS)],
        [("summary", episode, 0) for episode in range(5)],
    ]
    files = Files()
    while any(topics):
        topic = topics[int(generator.integers(len(topics)))]
        if topic:
            files.take(topic.pop(0))
    assert files.finished == [whole(episode) for episode in range(5)]


def test_episode_that_is_not_to_be_kept_leaves_no_trace() -> None:
    files = Files()
    for episode in range(3):
        files.take(("begin", episode, 0), kept=episode == 1)
        for step in range(STEPS):
            files.take(("step", episode, step))
        files.take(("summary", episode, 0))
    assert files.finished == [whole(1)]


def test_lost_step_makes_an_episode_incomplete_and_holds_up_the_next_for_a_while_only() -> None:
    files = Files()
    files.take(("begin", 0, 0))
    files.take(("step", 0, 0))
    files.take(("summary", 0, 0))
    files.take(("begin", 1, 0), now_ns=1)
    files.take(("step", 1, 0))
    files.sorter.tick(PATIENCE_NS)
    assert files.finished == []
    files.sorter.tick(PATIENCE_NS + 2)
    assert files.finished == [("contract 0", [step_of(0, 0)], "summary 0", False)]
    for step in range(1, STEPS):
        files.take(("step", 1, step))
    files.take(("summary", 1, 0))
    assert files.finished[1:] == [whole(1)]


def test_episode_without_a_summary_is_told_apart() -> None:
    files = Files()
    files.take(("begin", 0, 0))
    files.sorter.close()
    assert files.finished == [("contract 0", [], None, False)]


def test_what_comes_after_the_end_of_an_episode_is_dropped() -> None:
    files = Files()
    for message in [("begin", 0, 0), *(("step", 0, step) for step in range(STEPS)), ("summary", 0, 0)]:
        files.take(message)
    files.take(("step", 0, 7))
    files.take(("begin", 0, 0))
    assert files.finished == [whole(0)]
    assert files.sorter.open is None
