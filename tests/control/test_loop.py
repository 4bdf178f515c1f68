"""The inner loop's guard: whom it believes, for how long, and where it holds."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.loop import InnerLoop, InnerLoopConfig
from tenon.control.safety import SafetyLevel
from tenon.control.types import ControlMode, Pose, Reference, RobotState

MS = 1_000_000
DOWN = np.array((1.0, 0.0, 0.0, 0.0))
CONFIG = InnerLoopConfig(period_s=0.002, ramp_s=0.1, heartbeat_timeout_s=0.15)


def pose(z: float) -> Pose:
    return Pose(np.array((0.4, 0.0, z)), DOWN)


def state(z: float = 0.2, joint_rad: float = 0.0) -> RobotState:
    still = np.zeros(2)
    return RobotState(0, np.full(2, joint_rad), still, still, pose(z))


def motion(stamp_ns: int, z: float) -> Reference:
    return Reference(stamp_ns, ControlMode.CARTESIAN, "residual", 200 * MS, tcp_in_base=pose(z))


def height(loop: InnerLoop, now_ns: int, measured: float = 0.2) -> float:
    return float(loop.step(state(measured), now_ns).tcp_in_base.position_m[2])


@pytest.fixture
def moving() -> InnerLoop:
    """A loop that has gone half of the way from 0.2 m to 0.21 m at 50 ms."""
    loop = InnerLoop(CONFIG)
    loop.on_heartbeat(SafetyLevel.OK, 0)
    loop.step(state(), 0)
    loop.on_reference(motion(0, 0.21), 0)
    loop.step(state(), 0)
    assert height(loop, 50 * MS) == pytest.approx(0.205)
    return loop


def test_idle_loop_without_supervisor_holds_where_the_arm_was_first() -> None:
    loop = InnerLoop(CONFIG)
    first = loop.step(state(0.2), 0)
    later = loop.step(state(0.19), 10_000 * MS)
    assert first.holding and "not been heard" in first.reason
    assert later.tcp_in_base.position_m[2] == 0.2, "a hold does not follow an arm that sags"
    assert loop.counters.holds == 0


@pytest.mark.parametrize("level", [SafetyLevel.HOLD, SafetyLevel.FAULT])
def test_reference_is_not_followed_without_an_ok(level: SafetyLevel) -> None:
    loop = InnerLoop(CONFIG)
    loop.on_heartbeat(level, 0)
    loop.on_reference(motion(0, 0.21), 0)
    point = loop.step(state(), MS)
    assert point.holding and level.name in point.reason
    loop.on_heartbeat(SafetyLevel.OK, 2 * MS)
    assert loop.step(state(), 2 * MS).holding, "what was asked before the OK is not done"
    loop.on_reference(motion(3 * MS, 0.21), 3 * MS)
    assert not loop.step(state(), 3 * MS).holding


def test_set_point_goes_linearly_and_continues_from_where_it_is(moving: InnerLoop) -> None:
    moving.on_reference(motion(50 * MS, 0.2), 50 * MS)
    assert height(moving, 50 * MS) == pytest.approx(0.205), "no step at the change of reference"
    assert height(moving, 100 * MS) == pytest.approx(0.2025)
    assert height(moving, 150 * MS) == pytest.approx(0.2)
    assert height(moving, 170 * MS) == pytest.approx(0.2)


def test_rotation_goes_along_the_arc() -> None:
    loop = InnerLoop(CONFIG)
    loop.on_heartbeat(SafetyLevel.OK, 0)
    turned = Pose(pose(0.2).position_m, np.array((np.cos(0.1), np.sin(0.1), 0.0, 0.0)))
    loop.step(state(), 0)
    loop.on_reference(Reference(0, ControlMode.CARTESIAN, "session", 200 * MS, tcp_in_base=turned), 0)
    loop.step(state(), 0)
    half = loop.step(state(), 50 * MS).tcp_in_base.quaternion_xyzw
    np.testing.assert_allclose(half, (np.cos(0.05), np.sin(0.05), 0.0, 0.0), atol=1e-12)


def test_without_ramp_the_set_point_steps() -> None:
    loop = InnerLoop(InnerLoopConfig(period_s=0.002, ramp_s=0.0, heartbeat_timeout_s=0.15))
    loop.on_heartbeat(SafetyLevel.OK, 0)
    loop.on_reference(motion(0, 0.21), 0)
    assert height(loop, 0) == 0.21


def test_arm_holds_its_measured_pose_when_validity_ends(moving: InnerLoop) -> None:
    moving.on_heartbeat(SafetyLevel.OK, 150 * MS)
    assert height(moving, 200 * MS, measured=0.207) == pytest.approx(0.21)
    point = moving.step(state(0.207), 201 * MS)
    assert point.holding and "ended" in point.reason
    assert point.tcp_in_base.position_m[2] == 0.207
    assert height(moving, 202 * MS, measured=0.203) == 0.207, "latched once"
    assert moving.counters.holds == 1


def test_arm_stops_by_itself_without_supervisor_and_needs_ok_and_a_new_reference(moving: InnerLoop) -> None:
    moving.on_reference(motion(100 * MS, 0.22), 100 * MS)
    assert not moving.step(state(), 250 * MS).holding, "a safe reference is a sign of life"
    moving.on_reference(motion(251 * MS, 0.22), 251 * MS)  # one millisecond too late
    point = moving.step(state(0.21), 251 * MS)
    assert point.holding and "silent for 151 ms" in point.reason
    moving.on_reference(motion(252 * MS, 0.22), 252 * MS)
    assert moving.step(state(0.21), 252 * MS).holding, "a reference does not bring the heartbeat back"
    moving.on_heartbeat(SafetyLevel.OK, 253 * MS)
    assert moving.step(state(0.21), 253 * MS).holding
    moving.on_reference(motion(254 * MS, 0.22), 254 * MS)
    assert not moving.step(state(0.21), 254 * MS).holding


def test_clock_that_goes_back_needs_a_new_heartbeat(moving: InnerLoop) -> None:
    assert moving.step(state(), -MS).holding


def test_fault_brings_the_arm_to_the_safe_pose_once(moving: InnerLoop) -> None:
    safe = Reference(60 * MS, ControlMode.HOLD, "safety", 200 * MS, tcp_in_base=pose(0.201))
    moving.on_heartbeat(SafetyLevel.FAULT, 60 * MS)
    moving.on_reference(safe, 60 * MS)
    assert height(moving, 60 * MS, measured=0.205) == pytest.approx(0.205)
    moving.on_reference(safe, 110 * MS)
    assert height(moving, 110 * MS, measured=0.205) == pytest.approx(0.203), "a repeated hold does not begin anew"
    assert height(moving, 160 * MS, measured=0.205) == pytest.approx(0.201)
    assert moving.counters.holds == 0, "this hold was asked for"


def test_repeated_hold_does_not_begin_anew_for_any_rotation(moving: InnerLoop) -> None:
    generator = np.random.default_rng(0)
    for begin_ms in range(60, 20_000, 200):
        turn = np.append(1.0, 0.1 * generator.normal(size=3))
        safe = Pose(pose(0.2).position_m, turn / np.linalg.norm(turn))
        moving.on_heartbeat(SafetyLevel.FAULT, begin_ms * MS)
        for now_ms in range(begin_ms, begin_ms + 101, 20):
            moving.on_reference(Reference(0, ControlMode.HOLD, "safety", 0, tcp_in_base=safe), now_ms * MS)
            moving.on_heartbeat(SafetyLevel.FAULT, now_ms * MS)
            point = moving.step(state(0.205), now_ms * MS)
        np.testing.assert_array_equal(point.tcp_in_base.quaternion_xyzw, safe.quaternion_xyzw)


def test_safe_pose_far_away_is_not_gone_to(moving: InnerLoop) -> None:
    moving.on_heartbeat(SafetyLevel.FAULT, 60 * MS)
    moving.on_reference(Reference(60 * MS, ControlMode.HOLD, "safety", 0, tcp_in_base=pose(0.3)), 60 * MS)
    moving.step(state(0.205), 60 * MS)
    assert height(moving, 1000 * MS) == pytest.approx(0.205)


def test_unreadable_arm_is_held_at_its_last_set_point(moving: InnerLoop) -> None:
    moving.on_heartbeat(SafetyLevel.FAULT, 50 * MS)
    assert height(moving, 50 * MS, measured=np.nan) == pytest.approx(0.205)


def test_first_reading_must_be_readable() -> None:
    with pytest.raises(ValueError, match="encoders"):
        InnerLoop(CONFIG).step(state(np.nan), 0)


def test_joint_references_ramp_in_joint_space_and_end_in_a_held_pose() -> None:
    loop = InnerLoop(CONFIG)
    loop.on_heartbeat(SafetyLevel.OK, 0)
    loop.on_reference(Reference(0, ControlMode.JOINT, "session", 120 * MS, joint_position_rad=np.array((0.1, 0.0))), 0)
    assert not loop.step(state(), 0).holding
    half = loop.step(state(), 50 * MS)
    assert half.joint_position_rad is not None
    np.testing.assert_allclose(half.joint_position_rad, (0.05, 0.0))
    held = loop.step(state(0.22), 121 * MS)
    assert held.holding and held.joint_position_rad is None and held.tcp_in_base.position_m[2] == 0.22


def test_late_and_missed_turns_are_counted() -> None:
    loop = InnerLoop(CONFIG)
    for now_ms in (0, 2, 4, 10, 12, 15):
        loop.step(state(), now_ms * MS)
    counters = loop.counters
    assert (counters.turns, counters.late, counters.missed, counters.max_gap_ns) == (6, 1, 2, 6 * MS)


def test_arm_that_was_out_of_reach_stays_where_it_is_found(moving: InnerLoop) -> None:
    moving.forget()
    found = moving.step(state(0.3), 60 * MS)
    assert found.holding and found.tcp_in_base.position_m[2] == 0.3
    moving.on_heartbeat(SafetyLevel.FAULT, 60 * MS)
    safe = Reference(60 * MS, ControlMode.HOLD, "supervisor", 200 * MS, tcp_in_base=pose(0.29))
    moving.on_reference(safe, 60 * MS)
    assert height(moving, 200 * MS, 0.3) == 0.3, "a safe pose of before is motion too"


def test_arm_that_was_out_of_reach_moves_for_a_new_reference_under_a_fresh_ok(moving: InnerLoop) -> None:
    moving.forget()
    moving.on_reference(motion(60 * MS, 0.21), 60 * MS)
    assert moving.step(state(), 61 * MS).holding, "the supervisor has not spoken since"
    moving.on_heartbeat(SafetyLevel.OK, 62 * MS)
    moving.on_reference(motion(70 * MS, 0.21), 70 * MS)
    assert not moving.step(state(), 71 * MS).holding
