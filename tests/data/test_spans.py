"""Spans of steps that follow one another; through the replay they are tested with the sampling."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.data.spans import EpisodeSpans

ROW = np.dtype([("number", "<u8"), ("session", "<u4"), ("episode", "<u4"), ("step", "<u4"), ("ended", "?")])
LENGTH, HELD = 3, 50


def test_spans_that_left_the_ring_are_forgotten_and_no_other() -> None:
    """Far more spans than the list has room for, so that it is cleared up many times."""
    spans = EpisodeSpans(np.empty(0, ROW))
    for number in range(6_000):
        episode, step = divmod(number, LENGTH)
        oldest = number + 1 - HELD
        spans.add(number, 0, episode, step, ended=step == LENGTH - 1, oldest=oldest)
        if oldest < 0:
            continue
        window = range(oldest, number + 1)
        numbers = np.array(window)
        first, last = spans.around(numbers, window)
        begins = numbers - numbers % LENGTH
        np.testing.assert_array_equal(first, np.maximum(begins, oldest))
        np.testing.assert_array_equal(last, np.minimum(begins + LENGTH - 1, number))


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_step_after_the_end_of_its_episode_begins_a_span(ended: bool, restarted: bool) -> None:
    rows = np.array([(0, 1, 2, 0, False), (1, 1, 2, 1, ended)], dtype=ROW)
    spans = EpisodeSpans(rows if restarted else rows[:0])
    for row in rows[2 if restarted else 0 :]:
        spans.add(*(int(row[name]) for name in ROW.names[:4]), ended=bool(row["ended"]), oldest=0)
    spans.add(2, 1, 2, 2, ended=False, oldest=0)
    first, last = spans.around(np.arange(3), range(3))
    assert (first.tolist(), last.tolist()) == (([0, 0, 2], [1, 1, 2]) if ended else ([0, 0, 0], [2, 2, 2]))
