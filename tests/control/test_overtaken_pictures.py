"""A fast simulation's readings may overtake a picture under way: it is lost only when real time has passed too."""

from __future__ import annotations

import pytest
from tests.control.test_safety import PERIOD_NS, START_NS, first_fault, motion, state, supervisor


def blind(*, overtaken: bool) -> tuple[str, int]:
    """The first fault of a supervisor that gets readings and a reference, but no picture after the first."""
    judge = supervisor(image_needed=True, overtaken=lambda: overtaken)
    judge.on_state(state(START_NS), START_NS)
    judge.on_image(START_NS, START_NS)
    judge.on_reference(motion(START_NS), START_NS)
    return first_fault(judge)


def test_picture_that_was_overtaken_is_not_lost() -> None:
    assert blind(overtaken=True)[0] != "lost_image"


def test_picture_that_nothing_overtook_is_lost() -> None:
    assert blind(overtaken=False) == ("lost_image", 5 * PERIOD_NS + 10_000_000)


@pytest.mark.parametrize("overtaken", [True, False])
def test_arm_holds_within_two_periods_for_want_of_a_picture_that_nothing_overtook(*, overtaken: bool) -> None:
    judge = supervisor(image_needed=True, overtaken=lambda: overtaken)
    judge.on_state(state(START_NS), START_NS)
    judge.on_image(START_NS, START_NS)
    judge.on_reference(motion(START_NS), START_NS)
    for now_ns in range(START_NS, START_NS + 2 * PERIOD_NS, PERIOD_NS // 10):
        judge.on_state(state(now_ns), now_ns)
        judge.tick(now_ns)
    assert judge.armed == overtaken


def test_first_picture_is_always_waited_for() -> None:
    judge = supervisor(image_needed=True, overtaken=lambda: True)
    judge.on_state(state(START_NS), START_NS)
    assert "no image has come yet" in judge.status(START_NS).detail
