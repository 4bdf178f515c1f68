"""The valve as a session's job, without a graph: what nodes ask of it, and a conductor that runs it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tenon.control.observer import Observer
from tenon.control.types import ControlMode
from tenon.environments.claw_valve import ClawValveEnv
from tenon.session.reset import ResetStage
from tenon.session.setup import load_setup
from tenon.session.valve_job import ValveJob, valve_pose, valve_rad

PERIOD_NS = 100_000_000


@pytest.fixture(scope="module")
def job() -> ValveJob:
    job = load_setup("valve").job
    assert isinstance(job, ValveJob)
    return job


def tick(position_rad, velocity_rad_s, angle_rad):
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None, detector=False)
    observer.on_pose(PERIOD_NS - 1, valve_pose(angle_rad))  # the first pose of all begins the grid
    observer.on_joints(position_rad, velocity_rad_s)
    observer.on_force(PERIOD_NS, np.zeros(3))
    observer.on_pose(PERIOD_NS, valve_pose(angle_rad))
    found = observer.take()
    assert found is not None
    return found


@pytest.mark.parametrize("angle_rad", [0.0, 1.0, -3.0, 3.14, 5.0])
def test_a_pose_holds_how_far_the_valve_is_turned(angle_rad: float) -> None:
    assert math.remainder(valve_rad(valve_pose(angle_rad)) - angle_rad, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_the_session_sees_what_the_environment_shows(job: ValveJob) -> None:
    env = ClawValveEnv()
    shown, info = env.reset(seed=5)
    goal = job.goal_in_base(info["episode"], np.zeros(3))
    seen = job.observe(tick(env.claw.joint_position_rad, env.claw.joint_velocity_rad_s, env.claw.valve_rad), goal)
    np.testing.assert_allclose(seen, shown, atol=1e-6)
    assert job.environment_spec == env.spec


def test_it_is_done_within_the_tolerance_of_half_a_turn(job: ValveJob) -> None:
    goal = job.goal_in_base(3, np.zeros(3))
    target_rad = job.task.draw(3).target_rad
    still = (np.zeros(9), np.zeros(9))
    assert job.is_done(tick(*still, target_rad - 0.2), goal)
    assert job.is_done(tick(*still, target_rad + 2 * math.pi + 0.2), goal)
    assert not job.is_done(tick(*still, target_rad - 0.3), goal)


def test_the_way_to_the_start_leads_out_before_it_swings_and_keeps_to_the_speed(job: ValveJob) -> None:
    motion = job.begin_start_motion(valve_pose(0.0), 0)
    position_rad = np.tile((0.4, 0.5, -1.2), 3)
    limit_rad = job.task.config.joint_speed_rad_s * job.task.config.control_period_s + 1e-9
    stages, swings = [], []
    for number in range(1, 60):
        step = motion.step(valve_pose(0.0), position_rad, number * PERIOD_NS)
        stages.append(step.stage)
        if step.over:
            break
        assert step.reference.mode is ControlMode.JOINT
        asked_rad = step.reference.joint_position_rad
        assert asked_rad is not None
        assert np.abs(asked_rad - position_rad).max() <= limit_rad
        swings.append(asked_rad[0])
        position_rad = asked_rad
    assert stages[-1] is ResetStage.DONE
    assert swings[0] == pytest.approx(0.4), "between the prongs it does not swing"
    np.testing.assert_allclose(position_rad, job.task.start_rad, atol=job.task.config.start_tolerance_rad)


def test_fingers_that_do_not_come_clear_are_a_failure_that_names_the_joint(job: ValveJob) -> None:
    motion = job.begin_start_motion(valve_pose(0.0), 0)
    stuck_rad = job.task.start_rad
    stuck_rad[4] -= 0.5
    motion.step(valve_pose(0.0), stuck_rad, PERIOD_NS)
    step = motion.step(valve_pose(0.0), stuck_rad, 20_000_000_000)
    assert step.stage is ResetStage.FAILED
    assert "finger_b_bend is 0.500 rad from its start" in step.message


def test_the_workspace_is_the_valves_place_whatever_the_fingers_do(job: ValveJob) -> None:
    place = job.kinematics()(np.full(9, 0.7))
    np.testing.assert_array_equal(place.position_m, np.zeros(3))
