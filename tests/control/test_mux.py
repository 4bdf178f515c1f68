"""The mux: one source at a time, and no command of another one mixed in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenon.control.mux import CommandMux
from tenon.control.phase import SessionPhase
from tenon.control.types import ControlMode, Reference

MS = 1_000_000
PERIOD_NS = 100 * MS


def motion(source: str, stamp_ns: int) -> Reference:
    return Reference(stamp_ns, ControlMode.CARTESIAN, source, 2 * PERIOD_NS)


def is_hold(reference: Reference | None) -> bool:
    return reference is not None and reference.mode is ControlMode.HOLD


@pytest.mark.parametrize(
    ("phase", "passed"),
    [
        (SessionPhase.IDLE, {"session"}),
        (SessionPhase.RESETTING, {"session"}),
        (SessionPhase.RUNNING, {"residual"}),
        (SessionPhase.PAUSED, set()),
        (SessionPhase.FAULT, set()),
        (SessionPhase.FINISHED, set()),
    ],
)
def test_phase_chooses_the_source(phase: SessionPhase, passed: set[str]) -> None:
    mux = CommandMux(teleop_timeout_ns=None)
    mux.on_phase(phase, PERIOD_NS)
    for source in ("residual", "session", "teleop", "stranger"):
        asked = motion(source, PERIOD_NS)
        assert (mux.on_reference(asked, PERIOD_NS) is asked) == (source in passed)


def test_switch_holds_once_and_takes_only_what_answers_later_observations() -> None:
    mux = CommandMux(teleop_timeout_ns=None)
    mux.on_phase(SessionPhase.RESETTING, 0)
    assert mux.on_reference(motion("session", PERIOD_NS), PERIOD_NS) is not None
    assert is_hold(mux.on_phase(SessionPhase.RUNNING, 2 * PERIOD_NS))
    assert mux.on_phase(SessionPhase.RUNNING, 2 * PERIOD_NS) is None, "the same phase again is no switch"
    late = motion("residual", 2 * PERIOD_NS - 1)
    assert mux.on_reference(late, 2 * PERIOD_NS + MS) is None
    assert mux.on_reference(motion("session", 3 * PERIOD_NS), 3 * PERIOD_NS) is None
    assert mux.on_reference(motion("residual", 2 * PERIOD_NS), 2 * PERIOD_NS + MS) is not None
    assert (mux.counters.before_switch, mux.counters.other_source) == (1, 1)


def test_holds_until_the_first_command_and_is_silent_once_the_source_has_moved() -> None:
    """Silence is for the supervisor to name; a HOLD here would disarm it."""
    mux = CommandMux(teleop_timeout_ns=None)
    mux.on_phase(SessionPhase.RUNNING, 0)
    assert is_hold(mux.tick(MS))
    mux.on_reference(motion("residual", 2 * MS), 2 * MS)
    assert mux.tick(10 * PERIOD_NS) is None


def test_no_hold_comes_between_an_observation_and_the_first_answer_of_the_new_source() -> None:
    mux = CommandMux(teleop_timeout_ns=None, hold_after_ns=2 * PERIOD_NS)
    assert is_hold(mux.on_phase(SessionPhase.RUNNING, PERIOD_NS))
    assert mux.tick(2 * PERIOD_NS) is None
    first = motion("residual", 2 * PERIOD_NS)
    assert mux.on_reference(first, 2 * PERIOD_NS) is first
    mux.on_phase(SessionPhase.RESETTING, 5 * PERIOD_NS)
    assert mux.tick(6 * PERIOD_NS) is None
    assert is_hold(mux.tick(7 * PERIOD_NS)), "a source that stays silent is held"


def test_no_hold_comes_between_the_sessions_hold_and_its_first_motion() -> None:
    """A way to the start begins with a HOLD, one tick before it moves."""
    mux = CommandMux(teleop_timeout_ns=None, hold_after_ns=3 * PERIOD_NS)
    mux.on_phase(SessionPhase.RUNNING, 0)
    mux.on_reference(motion("residual", PERIOD_NS), PERIOD_NS)
    assert is_hold(mux.on_phase(SessionPhase.RESETTING, 5 * PERIOD_NS))
    assert is_hold(mux.on_reference(Reference(6 * PERIOD_NS, ControlMode.HOLD, "session", PERIOD_NS), 6 * PERIOD_NS))
    assert mux.tick(7 * PERIOD_NS) is None
    first = motion("session", 7 * PERIOD_NS)
    assert mux.on_reference(first, 7 * PERIOD_NS) is first


def test_source_that_holds_by_itself_is_held_on() -> None:
    mux = CommandMux(teleop_timeout_ns=None)
    mux.on_reference(Reference(0, ControlMode.HOLD, "session", PERIOD_NS), 0)
    assert is_hold(mux.tick(10 * PERIOD_NS))


def test_expired_command_does_not_pass() -> None:
    mux = CommandMux(teleop_timeout_ns=None)
    assert mux.on_reference(motion("session", 0), 2 * PERIOD_NS + 1) is None
    assert mux.counters.expired == 1


def test_teleop_takes_over_and_hands_back_after_its_timeout() -> None:
    mux = CommandMux(teleop_timeout_ns=3 * PERIOD_NS)
    mux.on_phase(SessionPhase.RUNNING, 0)
    assert mux.on_reference(motion("residual", 0), 0) is not None
    assert mux.on_reference(motion("teleop", PERIOD_NS), PERIOD_NS) is not None
    assert mux.active == "teleop"
    assert mux.on_reference(motion("residual", PERIOD_NS), PERIOD_NS) is None
    assert mux.tick(4 * PERIOD_NS) is None
    assert is_hold(mux.tick(4 * PERIOD_NS + MS))
    assert mux.active == "residual"
    assert mux.on_reference(motion("residual", 4 * PERIOD_NS), 4 * PERIOD_NS + MS) is None
    assert mux.on_reference(motion("residual", 5 * PERIOD_NS), 5 * PERIOD_NS) is not None


def test_teleop_goes_on_across_phases_but_not_into_a_pause() -> None:
    mux = CommandMux(teleop_timeout_ns=3 * PERIOD_NS)
    mux.on_reference(motion("teleop", 0), 0)
    assert mux.on_phase(SessionPhase.RESETTING, MS) is None
    assert mux.active == "teleop"
    assert is_hold(mux.on_phase(SessionPhase.PAUSED, 2 * MS))
    assert mux.on_reference(motion("teleop", 3 * MS), 3 * MS) is None
    mux.on_phase(SessionPhase.RUNNING, 4 * MS)
    assert mux.active == "residual"


@pytest.mark.parametrize("timeout_ns", [None, 3 * PERIOD_NS])
def test_teleop_that_is_off_or_expired_changes_nothing(timeout_ns: int | None) -> None:
    mux = CommandMux(teleop_timeout_ns=timeout_ns)
    assert mux.on_reference(motion("teleop", 0), 0 if timeout_ns is None else 5 * PERIOD_NS) is None
    assert mux.active == "session"


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([*SessionPhase, "residual", "session", "teleop", "tick"]),
        st.integers(0, 3 * PERIOD_NS),
        st.integers(0, 4 * PERIOD_NS),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_motion_comes_only_from_the_active_source_and_after_its_switch(events: list[tuple[object, int, int]]) -> None:
    mux, now_ns, switched_ns, active = CommandMux(teleop_timeout_ns=2 * PERIOD_NS), 0, 0, "session"
    for what, wait_ns, age_ns in events:
        now_ns += wait_ns
        if isinstance(what, SessionPhase):
            mux.on_phase(what, now_ns)
            output = None
        elif what == "tick":
            output = mux.tick(now_ns)
        else:
            output = mux.on_reference(motion(str(what), now_ns - age_ns), now_ns)
        if mux.active != active:
            active = mux.active
            switched_ns = now_ns if output is None or output.mode is ControlMode.HOLD else output.stamp_ns
        if output is not None and output.mode is not ControlMode.HOLD:
            assert output.source == active
            assert output.stamp_ns >= switched_ns
            assert now_ns <= output.stamp_ns + output.valid_for_ns


def test_teleop_takes_over_with_its_very_first_command() -> None:
    mux = CommandMux(teleop_timeout_ns=3 * PERIOD_NS)
    mux.on_phase(SessionPhase.RUNNING, 0)
    mux.on_reference(motion("residual", 0), 0)
    taken = motion("teleop", PERIOD_NS)
    assert mux.on_reference(taken, PERIOD_NS + MS) is taken


def test_hold_of_the_teleoperator_hands_back_at_once() -> None:
    mux = CommandMux(teleop_timeout_ns=30 * PERIOD_NS)
    mux.on_phase(SessionPhase.RUNNING, 0)
    mux.on_reference(motion("teleop", PERIOD_NS), PERIOD_NS)
    hold = Reference(PERIOD_NS, ControlMode.HOLD, "teleop", PERIOD_NS)
    assert is_hold(mux.on_reference(hold, PERIOD_NS + MS))
    assert mux.active == "residual"
    assert mux.on_reference(hold, PERIOD_NS + 2 * MS) is None, "there is nothing left to hand back"
    assert mux.on_reference(motion("residual", 2 * PERIOD_NS), 2 * PERIOD_NS) is not None


def test_run_that_a_person_drives_has_nobody_to_hand_back_to() -> None:
    mux = CommandMux(teleop_timeout_ns=2 * PERIOD_NS)
    mux.on_phase(SessionPhase.RESETTING, 0, teleoperated=True)
    assert mux.active == "session"
    assert is_hold(mux.on_phase(SessionPhase.RUNNING, PERIOD_NS, teleoperated=True))
    assert mux.on_reference(motion("residual", PERIOD_NS), PERIOD_NS) is None
    assert mux.on_reference(motion("teleop", PERIOD_NS), PERIOD_NS) is not None
    assert mux.tick(9 * PERIOD_NS) is None, "silence is for the supervisor to name"
    assert mux.active == "teleop"
    assert is_hold(mux.on_phase(SessionPhase.RESETTING, 10 * PERIOD_NS, teleoperated=True))
    assert mux.active == "session"
