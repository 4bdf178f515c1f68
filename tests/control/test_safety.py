"""The supervisor: every check by itself, then the latch, then clearing. The control period is 0.1 s."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tenon.configuration.safety import JointLimitConfig, SafetyConfig, WorkspaceConfig
from tenon.control.checks import Check
from tenon.control.safety import SafetyLevel, SafetySupervisor
from tenon.control.types import ControlMode, Pose, Reference, RobotState

MS = 1_000_000
PERIOD_NS = 100 * MS
START_NS = 10_000 * MS
DOWN = np.array((1.0, 0.0, 0.0, 0.0))
CENTRE_M = np.array((0.4, 0.0, 0.2))

CONFIG = SafetyConfig(
    robot="test",
    workspace=WorkspaceConfig(min_m=(0.2, -0.2, 0.05), max_m=(0.6, 0.2, 0.5)),
    joints=tuple(
        JointLimitConfig(name=name, lower_rad=-2.0, upper_rad=2.0, speed_max_rad_s=1.0)
        for name in ("shoulder", "elbow")
    ),
    tcp_speed_max_m_s=0.25,
    tcp_acceleration_max_m_s2=3.0,
    tcp_turn_max_rad_s=1.0,
    jump_max_m=0.05,
    jump_max_rad=0.3,
    joint_jump_max_rad=0.3,
    force_max_n=50.0,
    torque_max_nm=10.0,
)


def pose(x: float = 0.4, y: float = 0.0, z: float = 0.2, quaternion: np.ndarray = DOWN) -> Pose:
    return Pose(np.array((x, y, z)), quaternion)


def state(stamp_ns: int, tcp: Pose | None = None, *, wrench: tuple[float, ...] = (0.0,) * 6) -> RobotState:
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=np.zeros(2),
        joint_velocity_rad_s=np.zeros(2),
        joint_effort_nm=np.zeros(2),
        tcp_in_base=tcp or pose(),
        wrench_in_base=np.array(wrench),
    )


def motion(stamp_ns: int, target: Pose | None = None, *, source: str = "residual") -> Reference:
    return Reference(stamp_ns, ControlMode.CARTESIAN, source, 2 * PERIOD_NS, tcp_in_base=target or pose())


def hold(stamp_ns: int) -> Reference:
    return Reference(stamp_ns, ControlMode.HOLD, "mux", 0)


def joints(stamp_ns: int, *angles_rad: float) -> Reference:
    return Reference(
        stamp_ns, ControlMode.JOINT, "session", 2 * PERIOD_NS, joint_position_rad=np.array(angles_rad, dtype=float)
    )


def supervisor(**options: object) -> SafetySupervisor:
    settings = {"name": "by-the-window", "control_period_ns": PERIOD_NS, "image_needed": False, **options}
    return SafetySupervisor(CONFIG, **settings)  # type: ignore[arg-type]


@pytest.fixture
def ready() -> SafetySupervisor:
    """A supervisor that has heard the arm at START_NS."""
    made = supervisor()
    made.on_state(state(START_NS), START_NS)
    return made


def fault_of(judge: SafetySupervisor, now_ns: int = START_NS) -> str:
    return judge.status(now_ns).fault


def run(judge: SafetySupervisor, begin_ns: int, end_ns: int) -> None:
    """Lets the arm stand still from begin_ns to end_ns, with readings and ticks each 10 ms."""
    for now_ns in range(begin_ns, end_ns + 1, 10 * MS):
        judge.on_state(state(now_ns), now_ns)
        judge.tick(now_ns)


# What passes


def test_good_reference_passes_unchanged_but_for_its_validity(ready: SafetySupervisor) -> None:
    asked = replace(motion(START_NS - 30 * MS, pose(z=0.19)), valid_for_ns=10**12)
    safe = ready.on_reference(asked, START_NS)
    assert (safe.stamp_ns, safe.mode, safe.source) == (asked.stamp_ns, asked.mode, asked.source)
    assert safe.tcp_in_base is asked.tcp_in_base
    assert safe.stamp_ns + safe.valid_for_ns == START_NS + 2 * PERIOD_NS
    assert ready.status(START_NS).level is SafetyLevel.OK


def test_steady_motion_at_ten_hertz_never_faults(ready: SafetySupervisor) -> None:
    for step in range(1, 100):
        now_ns = START_NS + step * PERIOD_NS
        here = pose(z=0.2 + 0.01 * np.sin(step / 3))
        for offset_ns in range(-9 * 10 * MS, 1, 10 * MS):
            ready.on_state(state(now_ns + offset_ns, here), now_ns + offset_ns)
            ready.tick(now_ns + offset_ns)
        safe = ready.on_reference(motion(now_ns, pose(z=0.2 + 0.01 * np.sin((step + 1) / 3))), now_ns)
        assert safe.mode is ControlMode.CARTESIAN, ready.status(now_ns)
    assert ready.status(now_ns).faults_total == 0


def test_hold_passes_and_disarms(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    assert ready.armed
    assert ready.on_reference(hold(START_NS), START_NS).mode is ControlMode.HOLD
    assert not ready.armed
    run(ready, START_NS, START_NS + 10 * PERIOD_NS)
    assert ready.status(START_NS + 10 * PERIOD_NS).level is SafetyLevel.OK


# What is refused at once


@pytest.mark.parametrize(
    ("target", "fault", "named"),
    [
        (pose(x=0.61), "workspace", "x = 0.6100"),
        (pose(z=0.04), "workspace", "z = 0.0400"),
        (pose(z=0.04), "workspace", "or at workspace in safety 'by-the-window'"),
        (pose(x=0.46), "jump", "60.0 mm"),
        (pose(z=0.23), "tcp_speed", "0.300 m/s"),
        (pose(x=np.nan), "not_finite", "nan"),
        (pose(y=np.inf), "not_finite", "inf"),
        (pose(quaternion=np.array((1.0, np.nan, 0.0, 0.0))), "not_finite", "nan"),
        (pose(quaternion=np.zeros(4)), "quaternion", "length 0"),
        (pose(quaternion=np.array((1.0, 0.1, 0.0, 0.0))), "quaternion", "length 1.005"),
        (pose(quaternion=np.array((np.cos(0.2), np.sin(0.2), 0.0, 0.0))), "jump", "0.400 rad"),
        (pose(quaternion=np.array((np.cos(0.06), np.sin(0.06), 0.0, 0.0))), "tcp_speed", "1.200 rad/s"),
        (Pose(np.zeros(2), DOWN), "malformed", "shape (2,)"),
    ],
)
def test_bad_target_holds_at_once_and_names_itself(
    ready: SafetySupervisor, target: Pose, fault: str, named: str
) -> None:
    safe = ready.on_reference(motion(START_NS, target), START_NS)
    status = ready.status(START_NS)
    assert safe.mode is ControlMode.HOLD
    assert (status.level, status.fault, status.fault_stamp_ns) == (SafetyLevel.FAULT, fault, START_NS)
    assert named in status.detail
    assert status.faults_total == 1


def test_reversal_at_full_speed_exceeds_acceleration(ready: SafetySupervisor) -> None:
    there = pose(z=0.22)
    ready.on_reference(motion(START_NS, there), START_NS)
    later_ns = START_NS + PERIOD_NS
    ready.on_state(state(later_ns, there), later_ns)
    ready.on_reference(motion(later_ns, pose(z=0.2)), later_ns)
    assert fault_of(ready, later_ns) == "tcp_acceleration"


def test_early_reference_is_judged_from_where_the_set_point_is_by_then(ready: SafetySupervisor) -> None:
    """Two steps of 24 mm within half a period would be 0.36 m/s, although each alone is allowed."""
    ready.on_reference(motion(START_NS, pose(z=0.224)), START_NS)
    early_ns = START_NS + PERIOD_NS // 2
    ready.on_state(state(early_ns, pose(z=0.21)), early_ns)
    ready.on_reference(motion(early_ns, pose(z=0.248)), early_ns)
    assert fault_of(ready, early_ns) == "tcp_speed"


@pytest.mark.parametrize(
    ("reading", "fault"),
    [
        (state(START_NS + MS, wrench=(0.0, 0.0, 60.0, 0.0, 0.0, 0.0)), "force"),
        (state(START_NS + MS, wrench=(36.0, 36.0, 0.0, 0.0, 0.0, 0.0)), "force"),
        (state(START_NS + MS, wrench=(0.0, 0.0, 0.0, 8.0, 8.0, 0.0)), "torque"),
        (state(START_NS + MS, wrench=(0.0, 0.0, np.nan, 0.0, 0.0, 0.0)), "not_finite"),
        (state(START_NS + MS, pose(x=np.nan)), "not_finite"),
        (state(START_NS + MS, pose(quaternion=np.zeros(4))), "quaternion"),
        (replace(state(START_NS + MS), joint_position_rad=np.array((0.0, 2.1))), "joint_limit"),
        (replace(state(START_NS + MS), joint_velocity_rad_s=np.array((-1.1, 0.0))), "joint_speed"),
        (replace(state(START_NS + MS), joint_effort_nm=np.array((np.inf, 0.0))), "not_finite"),
        (replace(state(START_NS + MS), joint_position_rad=np.zeros(3)), "malformed"),
        (state(START_NS - MS), "out_of_order"),
        (state(START_NS + 2 * PERIOD_NS), "future_stamp"),
    ],
)
def test_bad_reading_holds_at_once_even_when_nothing_moves(
    ready: SafetySupervisor, reading: RobotState, fault: str
) -> None:
    safe = ready.on_state(reading, START_NS + MS)
    assert safe is not None and safe.mode is ControlMode.HOLD
    assert fault_of(ready, START_NS + MS) == fault


def test_fault_holds_at_the_last_pose_that_was_measured_safe(ready: SafetySupervisor) -> None:
    ready.on_state(state(START_NS + MS, pose(z=0.21)), START_NS + MS)
    safe = ready.on_state(state(START_NS + 2 * MS, pose(z=0.17), wrench=(0, 0, 60, 0, 0, 0)), START_NS + 2 * MS)
    assert safe is not None and safe.tcp_in_base is not None
    np.testing.assert_array_equal(safe.tcp_in_base.position_m, (0.4, 0.0, 0.21))
    again = ready.on_state(state(START_NS + 3 * MS, pose(z=0.3)), START_NS + 3 * MS)
    assert again is not None and again.tcp_in_base is safe.tcp_in_base


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        (replace(motion(START_NS), tcp_in_base=None), "malformed"),
        (replace(motion(START_NS), valid_for_ns=0), "malformed"),
        (motion(START_NS, source="stranger"), "malformed"),
        (joints(START_NS, 0.0, 0.0), "malformed"),
        (motion(START_NS + PERIOD_NS + MS), "future_stamp"),
    ],
)
def test_reference_of_impossible_form_or_time_is_refused(
    ready: SafetySupervisor, reference: Reference, fault: str
) -> None:
    assert ready.on_reference(reference, START_NS).mode is ControlMode.HOLD
    assert fault_of(ready) == fault


@pytest.mark.parametrize(
    "reference",
    [motion(START_NS - 2 * PERIOD_NS - MS), replace(motion(START_NS - 60 * MS), valid_for_ns=50 * MS)],
)
def test_reference_that_comes_too_late_is_as_good_as_none(ready: SafetySupervisor, reference: Reference) -> None:
    assert ready.on_reference(reference, START_NS).mode is ControlMode.HOLD
    assert (fault_of(ready), ready.late, ready.armed) == ("", True, False)
    fault, age_ns = first_fault(ready)
    assert (fault, age_ns) == ("stale_command", 5 * PERIOD_NS + 10 * MS)


def test_references_that_all_come_too_late_are_a_fault_in_the_end(ready: SafetySupervisor) -> None:
    for number in range(1, 8):
        now_ns = START_NS + number * PERIOD_NS
        ready.on_state(state(now_ns), now_ns)
        assert ready.on_reference(motion(now_ns - 2 * PERIOD_NS - MS), now_ns).mode is ControlMode.HOLD
    assert fault_of(ready) == "stale_command"


def test_reference_older_than_the_last_of_its_source_is_refused(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    ready.on_reference(motion(START_NS - 50 * MS, source="session"), START_NS)
    assert fault_of(ready) == "", "each source has an order of its own"
    ready.on_reference(motion(START_NS - MS), START_NS)
    assert fault_of(ready) == "out_of_order"


def test_message_that_cannot_be_decoded_is_a_fault(ready: SafetySupervisor) -> None:
    assert ready.on_undecodable("'residual': mode 7 does not exist", START_NS).mode is ControlMode.HOLD
    assert ready.status(START_NS).fault == "malformed"


# Joint mode


@pytest.mark.parametrize(
    ("angles_rad", "fault"),
    [((0.05, 0.0), ""), ((2.1, 0.0), "joint_limit"), ((0.31, 0.0), "jump"), ((0.0, 0.2), "joint_speed"),
     ((-0.09, 0.0), "workspace"), ((np.nan, 0.0), "not_finite"), ((0.0,), "malformed")],
)  # fmt: skip
def test_joint_targets_are_judged_as_joints_and_as_poses(angles_rad: tuple[float, ...], fault: str) -> None:
    judge = supervisor(kinematics=lambda angles: pose(x=0.25 + angles[0]))
    judge.on_state(state(START_NS), START_NS)
    judge.on_reference(joints(START_NS, *angles_rad), START_NS)
    assert fault_of(judge) == fault


# What runs out


def turn(judge: SafetySupervisor, now_ns: int, *, readings: bool = True, images: bool = False) -> Reference | None:
    """What the arm and the camera say, then a tick, and what the supervisor asks for."""
    if readings:
        judge.on_state(state(now_ns), now_ns)
    if images:
        judge.on_image(now_ns, now_ns)
    return judge.tick(now_ns)


def first_fault(
    judge: SafetySupervisor, *, after_ns: int = 0, readings: bool = True, images: bool = False
) -> tuple[str, int]:
    """Ticks each 10 ms from after_ns after START_NS on, without commands; returns the fault and its time since then."""
    for age_ns in range(after_ns, after_ns + 6 * PERIOD_NS, 10 * MS):
        now_ns = START_NS + age_ns
        turn(judge, now_ns, readings=readings, images=images)
        status = judge.status(now_ns)
        if status.fault:
            return status.fault, age_ns
    return "", 0


def run_late(judge: SafetySupervisor, until_ns: int) -> tuple[int, Reference]:
    """Ticks each 10 ms from START_NS on; when the supervisor first asks to hold, and how."""
    for now_ns in range(START_NS, until_ns, 10 * MS):
        hold = turn(judge, now_ns)
        if hold is not None:
            return now_ns - START_NS, hold
    raise AssertionError("it never asks to hold")


def test_silence_after_a_command_holds_after_two_periods_and_is_a_fault_after_five(ready: SafetySupervisor) -> None:
    safe = ready.on_reference(motion(START_NS), START_NS)
    age_ns, hold = run_late(ready, START_NS + 3 * PERIOD_NS)
    assert (age_ns, hold.mode) == (2 * PERIOD_NS + 10 * MS, ControlMode.HOLD)
    assert safe.stamp_ns + safe.valid_for_ns == START_NS + 2 * PERIOD_NS, "the arm holds by itself before that"
    status = ready.status(START_NS + age_ns)
    assert (status.level, status.fault) == (SafetyLevel.OK, "")
    assert "'residual' has sent nothing in time for 210.0 ms, allowed are 200.0 ms" in status.detail
    fault, age_ns = first_fault(ready, after_ns=age_ns)
    assert (fault, age_ns) == ("stale_command", 5 * PERIOD_NS + 10 * MS)


def test_command_that_was_late_goes_on_from_where_the_arm_holds(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    age_ns, _ = run_late(ready, START_NS + 3 * PERIOD_NS)
    now_ns = START_NS + age_ns
    assert ready.on_reference(motion(now_ns), now_ns).mode is ControlMode.CARTESIAN
    assert (ready.armed, ready.late, ready.tick(now_ns)) == (True, False, None)
    status = ready.status(now_ns)
    assert (status.level, status.detail, status.faults_total) == (SafetyLevel.OK, "", 0)


def test_hold_that_is_asked_for_ends_the_waiting(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    age_ns, _ = run_late(ready, START_NS + 3 * PERIOD_NS)
    ready.on_reference(replace(motion(START_NS + age_ns), mode=ControlMode.HOLD, tcp_in_base=None), START_NS + age_ns)
    assert not ready.late
    assert first_fault(ready, after_ns=age_ns) == ("", 0)


def test_readings_that_are_lost_while_a_command_is_late_stop_the_next_one(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    age_ns, _ = run_late(ready, START_NS + 3 * PERIOD_NS)
    now_ns = START_NS + age_ns + 2 * PERIOD_NS
    assert ready.status(now_ns).level is SafetyLevel.HOLD
    assert ready.on_reference(motion(now_ns), now_ns).mode is ControlMode.HOLD
    assert (ready.armed, ready.status(now_ns).fault) == (False, "")
    assert first_fault(ready, after_ns=age_ns + 2 * PERIOD_NS, readings=False)[0] == "stale_state"


def drive(
    judge: SafetySupervisor, *, until_ns: int, after_ns: int = 0, readings: bool = True, images: bool = True
) -> list[tuple[int, ControlMode]]:
    """A motion each period from after_ns after START_NS on; what was answered to each, and when after START_NS."""
    answered = []
    for age_ns in range(after_ns, until_ns, 10 * MS):
        now_ns = START_NS + age_ns
        turn(judge, now_ns, readings=readings, images=images)
        if age_ns % PERIOD_NS == 0:
            answered.append((age_ns, judge.on_reference(motion(now_ns), now_ns).mode))
    return answered


@pytest.mark.parametrize(("lost", "named"), [("readings", "stale_state"), ("images", "lost_image")])
def test_what_is_lost_holds_the_arm_within_two_periods_and_is_a_fault_after_five(lost: str, named: str) -> None:
    judge = supervisor(image_needed=True)
    answered = drive(judge, until_ns=PERIOD_NS)
    assert answered == [(0, ControlMode.CARTESIAN)]
    answered = drive(judge, after_ns=PERIOD_NS, until_ns=10 * PERIOD_NS, **{lost: False})
    moved = [age_ns for age_ns, mode in answered if mode is ControlMode.CARTESIAN]
    assert moved == [PERIOD_NS, 2 * PERIOD_NS], "the newest is 110 ms old then, and 210 ms a period later"
    status = judge.status(START_NS + 10 * PERIOD_NS)
    assert (status.level, status.fault) == (SafetyLevel.FAULT, named)
    assert 5 * PERIOD_NS < status.fault_stamp_ns - START_NS - moved[-1] <= 5 * PERIOD_NS + 10 * MS


@pytest.mark.parametrize("lost", ["readings", "images"])
def test_what_was_late_for_a_moment_holds_the_arm_for_that_moment(lost: str) -> None:
    judge = supervisor(image_needed=True)
    drive(judge, until_ns=PERIOD_NS + 10 * MS)
    drive(judge, after_ns=PERIOD_NS + 10 * MS, until_ns=4 * PERIOD_NS, **{lost: False})
    assert judge.late and not judge.armed
    assert drive(judge, after_ns=4 * PERIOD_NS, until_ns=5 * PERIOD_NS) == [(4 * PERIOD_NS, ControlMode.CARTESIAN)]
    status = judge.status(START_NS + 5 * PERIOD_NS - 10 * MS)
    assert (judge.armed, status.level, status.faults_total) == (True, SafetyLevel.OK, 0)


def test_arm_that_says_it_has_failed_is_a_fault_at_once(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    ready.on_arm("connection_lost", "the cable is out", START_NS + MS)
    assert ready.status(START_NS + MS).fault == "arm"


def test_images_do_not_matter_where_none_is_needed(ready: SafetySupervisor) -> None:
    ready.on_image(START_NS, START_NS)
    ready.on_reference(motion(START_NS), START_NS)
    assert first_fault(ready)[0] == "stale_command"


def test_supervisor_that_slept_says_so(ready: SafetySupervisor) -> None:
    ready.tick(START_NS)
    ready.on_reference(motion(START_NS), START_NS)
    for offset_ns in (PERIOD_NS, 2 * PERIOD_NS + MS):
        now_ns = START_NS + offset_ns
        ready.on_state(state(now_ns), now_ns)
        ready.on_reference(motion(now_ns), now_ns)
    ready.tick(now_ns)
    assert fault_of(ready, now_ns) == "loop_overrun"


@pytest.mark.parametrize("slept_ns", [2 * PERIOD_NS + MS, 10 * PERIOD_NS])
def test_supervisor_whose_process_stood_still_blames_nobody_else(ready: SafetySupervisor, slept_ns: int) -> None:
    """Reading and command look old to it then, whichever it takes up first."""
    ready.tick(START_NS)
    ready.on_reference(motion(START_NS), START_NS)
    now_ns = START_NS + slept_ns
    ready.on_state(state(now_ns), now_ns)
    assert fault_of(ready, now_ns) == "loop_overrun"


def test_supervisor_whose_process_stood_still_while_a_command_was_late_blames_nobody_else(
    ready: SafetySupervisor,
) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    run_late(ready, START_NS + 3 * PERIOD_NS)
    now_ns = START_NS + 10 * PERIOD_NS
    ready.on_state(state(now_ns), now_ns)
    assert fault_of(ready, now_ns) == "loop_overrun"


def test_clock_that_goes_back_is_a_fault_and_can_be_cleared_once_readings_come(ready: SafetySupervisor) -> None:
    ready.tick(START_NS - MS)
    assert fault_of(ready, START_NS - MS) == "clock"
    assert not ready.clear(START_NS - MS).cleared
    ready.on_state(state(START_NS - MS), START_NS - MS)
    assert ready.clear(START_NS - MS).cleared


# What is missing


def test_nothing_is_judged_before_the_clock_begins() -> None:
    judge = supervisor()
    assert judge.on_state(state(START_NS), 0) is None
    assert judge.on_reference(motion(START_NS), 0).mode is ControlMode.HOLD
    status = judge.status(0)
    assert status.level is SafetyLevel.HOLD and "/clock" in status.detail


def test_missing_arm_or_image_is_hold_not_fault_and_heals_by_itself() -> None:
    judge = supervisor(image_needed=True)
    assert "driver" in judge.status(START_NS).detail
    judge.on_state(state(START_NS), START_NS)
    assert judge.status(START_NS).level is SafetyLevel.HOLD
    assert "image" in judge.status(START_NS).detail
    judge.on_image(START_NS, START_NS)
    assert judge.status(START_NS).level is SafetyLevel.OK
    later_ns = START_NS + 5 * PERIOD_NS
    assert judge.status(later_ns).level is SafetyLevel.HOLD
    judge.on_state(state(later_ns), later_ns)
    judge.on_image(later_ns, later_ns)
    assert judge.status(later_ns).level is SafetyLevel.OK


@pytest.mark.parametrize(
    ("image_needed", "heard", "fault"), [(False, False, "stale_state"), (True, True, "lost_image")]
)
def test_motion_that_is_asked_for_blindly_never_passes_and_is_a_fault_in_the_end(
    image_needed: bool, heard: bool, fault: str
) -> None:
    judge = supervisor(image_needed=image_needed)
    answered = drive(judge, until_ns=7 * PERIOD_NS, readings=heard, images=False)
    assert {mode for _, mode in answered} == {ControlMode.HOLD}
    assert fault_of(judge, START_NS + 7 * PERIOD_NS) == fault


# The latch


def test_fault_latches_until_cleared_and_keeps_the_first_name(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS, pose(x=0.61)), START_NS)
    ready.on_state(state(START_NS + MS, wrench=(0, 0, 60, 0, 0, 0)), START_NS + MS)
    for offset_ns in range(2 * MS, 10 * PERIOD_NS, 50 * MS):
        now_ns = START_NS + offset_ns
        ready.on_state(state(now_ns), now_ns)
        assert ready.on_reference(motion(now_ns), now_ns).mode is ControlMode.HOLD
        repeated = ready.tick(now_ns)
        assert repeated is not None and repeated.mode is ControlMode.HOLD
    status = ready.status(now_ns)
    assert (status.fault, status.faults_total) == ("workspace", 1)


def test_operators_stop_holds_a_moving_arm_and_latches(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    assert ready.stop(START_NS + MS).mode is ControlMode.HOLD
    assert ready.on_reference(motion(START_NS + 2 * MS), START_NS + 2 * MS).mode is ControlMode.HOLD
    assert fault_of(ready, START_NS + 2 * MS) == Check.OPERATOR


def test_operators_stop_latches_before_the_clock_begins() -> None:
    judge = supervisor()
    judge.stop(0)
    assert fault_of(judge, 0) == Check.OPERATOR


def test_clear_is_refused_while_the_force_persists(ready: SafetySupervisor) -> None:
    pushed = (0.0, 0.0, 60.0, 0.0, 0.0, 0.0)
    ready.on_state(state(START_NS + MS, wrench=pushed), START_NS + MS)
    refused = ready.clear(START_NS + 2 * MS)
    assert not refused.cleared and "60.0 N" in refused.message
    ready.on_state(state(START_NS + 3 * MS), START_NS + 3 * MS)
    assert ready.clear(START_NS + 3 * MS).cleared
    assert ready.status(START_NS + 3 * MS).level is SafetyLevel.OK


def test_clear_is_refused_while_motion_is_asked_for(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS, pose(x=np.nan)), START_NS)
    refused = ready.clear(START_NS + MS)
    assert not refused.cleared and "'residual' still asks" in refused.message
    ready.on_reference(hold(START_NS + MS), START_NS + MS)
    assert ready.clear(START_NS + MS).cleared


def test_clear_is_refused_while_the_arm_is_silent(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    now_ns = START_NS + 6 * PERIOD_NS
    ready.tick(now_ns)
    refused = ready.clear(now_ns)
    assert not refused.cleared and "driver" in refused.message


def test_cleared_supervisor_moves_only_for_a_new_reference_and_faults_again(ready: SafetySupervisor) -> None:
    ready.on_reference(motion(START_NS, pose(x=0.61)), START_NS)
    later_ns = START_NS + 3 * PERIOD_NS
    run(ready, START_NS, later_ns)
    assert ready.clear(later_ns).cleared
    assert ready.tick(later_ns) is None and not ready.armed
    assert ready.on_reference(motion(later_ns), later_ns).mode is ControlMode.CARTESIAN
    ready.on_reference(motion(later_ns, pose(x=0.61)), later_ns)
    assert ready.status(later_ns).faults_total == 2


def test_clear_without_a_fault_is_fine(ready: SafetySupervisor) -> None:
    assert ready.clear(START_NS).cleared


def test_fault_of_the_device_latches_with_its_name_and_cannot_be_cleared_before_it_is_gone(
    ready: SafetySupervisor,
) -> None:
    ready.on_reference(motion(START_NS), START_NS)
    held = ready.on_arm("protective_stop", "unlock it at the pendant", START_NS + MS)
    assert held is not None and held.mode is ControlMode.HOLD
    status = ready.status(START_NS + MS)
    assert status.fault == Check.ARM and status.detail.startswith("protective_stop: unlock")
    late_ns = START_NS + 3 * PERIOD_NS
    ready.on_state(state(late_ns), late_ns)
    refused = ready.clear(late_ns)
    assert not refused.cleared and "unlock it" in refused.message
    ready.on_arm("", "", late_ns)
    assert ready.status(late_ns).level is SafetyLevel.FAULT, "that the device is well clears nothing"
    assert ready.clear(late_ns).cleared
