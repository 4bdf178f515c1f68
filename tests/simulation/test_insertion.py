"""The insertion stand: impedance, force, retention, detector, draws, snapshots."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from tenon.control.geometry import compose, distance, pose, quaternion_from_rotation_vector
from tenon.control.impedance import CartesianImpedance
from tenon.control.types import Pose
from tenon.simulation.insertion import SimulationError, tcp_in_flange
from tenon.simulation.tasks import draw_episode, seated_pose

PERIOD_SUBSTEPS = 50


def descend(simulation, steps, *, step_m=0.004, goal=None):
    """Goes down to the goal in steps, straight from the start."""
    goal = goal or simulation.goal_in_base
    for _ in range(steps):
        here = simulation.tcp_in_base().position_m
        target = np.array((*goal.position_m[:2], max(goal.position_m[2] - 0.003, here[2] - step_m)))
        simulation.step(Pose(target, goal.quaternion_xyzw), PERIOD_SUBSTEPS)


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
def test_the_arm_stands_at_its_start_pose_and_stays_there(make_simulation, robot):
    simulation = make_simulation(robot)
    assert distance(simulation.tcp_in_base(), simulation.start_in_base)[0] < 1e-5
    simulation.advance(500)
    metres, radians = distance(simulation.tcp_in_base(), simulation.start_in_base)
    assert metres < 1e-4
    assert radians < 1e-3


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
def test_the_model_agrees_with_the_kinematics_that_needs_no_simulator(make_simulation, robot):
    simulation = make_simulation(robot)
    simulation.advance(100)
    state = simulation.state()
    expected = simulation.kinematics.forward(state.joint_position_rad)
    metres, radians = distance(state.tcp_in_base, expected)
    assert metres < 1e-6
    assert radians < 1e-6
    velocity = simulation.kinematics.jacobian(state.joint_position_rad) @ state.joint_velocity_rad_s
    np.testing.assert_allclose(state.tcp_velocity_in_base, velocity, atol=1e-7)


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
def test_the_impedance_inside_the_physics_is_the_law_of_the_controller(make_simulation, robot):
    simulation = make_simulation(robot)
    law = CartesianImpedance(simulation.task.scene.impedance)
    generator = np.random.default_rng(0)
    for _ in range(20):
        step = pose(generator.uniform(-0.02, 0.02, 3), quaternion_from_rotation_vector(generator.uniform(-0.1, 0.1, 3)))
        reference = compose(simulation.start_in_base, step)
        simulation.set_reference(reference)
        simulation.advance(7)
        mujoco.mj_forward(simulation.model, simulation.data)
        state = simulation.state()
        jacobian = simulation.kinematics.jacobian(state.joint_position_rad)
        expected = law.torque(jacobian, state.tcp_in_base, state.tcp_velocity_in_base, reference)
        np.testing.assert_allclose(state.joint_effort_nm, expected, atol=1e-5)
        assert np.abs(expected).max() > 0.1


def test_a_joint_reference_is_reached_under_joint_impedance(make_simulation):
    simulation = make_simulation()
    target = np.array(simulation.arm.home_rad) + 0.1
    simulation.set_joint_reference(target)
    simulation.advance(2000)
    np.testing.assert_allclose(simulation.state().joint_position_rad, target, atol=1e-3)
    simulation.hold()
    before = simulation.tcp_in_base()
    simulation.advance(500)
    assert distance(before, simulation.tcp_in_base())[0] < 1e-3, "back under Cartesian impedance it holds"


def test_a_joint_reference_of_the_wrong_size_is_refused(make_simulation):
    with pytest.raises(ValueError, match="ur5 has 6 joints"):
        make_simulation().set_joint_reference(np.zeros(7))


def test_a_reached_goal_closes_the_contact_and_a_withdrawn_plug_opens_it(make_simulation):
    simulation = make_simulation(connector={"retention": {"maximum_n": 0.0}})
    simulation.reset(0, goal_error_scale=0.0)
    assert not simulation.electrical()
    descend(simulation, 30)
    assert simulation.electrical()
    assert simulation.depth_m == pytest.approx(simulation.connector.depth_m, abs=1e-4)
    simulation.step(simulation.start_in_base, 10 * PERIOD_SUBSTEPS)
    assert not simulation.electrical()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_sensor_feels_the_push_of_a_held_plug(make_simulation, axis):
    """Seated, the plug's walls and floor must give exactly what the impedance presses with."""
    simulation = make_simulation(connector={"retention": {"maximum_n": 0.0}, "friction": 0.0})
    simulation.reset(0, goal_error_scale=0.0)
    descend(simulation, 30)
    target = simulation.goal_in_base.position_m.copy()
    target[axis] -= 0.004
    simulation.step(Pose(target, simulation.goal_in_base.quaternion_xyzw), 20 * PERIOD_SUBSTEPS)
    error = target - simulation.tcp_in_base().position_m
    stiffness = np.array(simulation.task.scene.impedance.stiffness_n_m)
    force = simulation.state().wrench_in_base[:3]
    assert force[axis] == pytest.approx(-(stiffness * error)[axis], rel=0.02)
    assert force[axis] > 3.0


def push(simulation, force_n, steps):
    """Presses down with force_n: the set point stays ahead of the tip by as much as that takes."""
    goal, ahead_m = simulation.goal_in_base, force_n / simulation.task.scene.impedance.stiffness_n_m[2]
    for _ in range(steps):
        here = simulation.tcp_in_base().position_m[2]
        simulation.step(Pose(np.array((*goal.position_m[:2], here - ahead_m)), goal.quaternion_xyzw), PERIOD_SUBSTEPS)


def test_retention_stops_a_push_that_is_weaker_and_only_below_its_onset(make_simulation):
    simulation = make_simulation(name="stall", task={"start_height_m": 0.012})
    simulation.reset(0, goal_error_scale=0.0)
    push(simulation, 1.8, steps=40)
    stuck = simulation.depth_m
    assert 0.2 * simulation.connector.depth_m < stuck < 0.5 * simulation.connector.depth_m
    push(simulation, 1.8, steps=60)
    assert simulation.depth_m == pytest.approx(stuck, abs=1e-5), "dry friction must not creep"
    assert simulation.state().wrench_in_base[2] == pytest.approx(1.8, abs=0.05)
    push(simulation, 2.4, steps=60)
    assert simulation.depth_m > stuck + 0.005


def test_retention_holds_the_plug_back_when_it_is_pulled_out(make_simulation):
    simulation = make_simulation(name="stall")
    simulation.reset(0, goal_error_scale=0.0)
    descend(simulation, 40)
    seated = simulation.depth_m
    goal = simulation.goal_in_base
    pull = pose(simulation.tcp_in_base().position_m + np.array((0, 0, 0.001)), goal.quaternion_xyzw)
    simulation.step(pull, 10 * PERIOD_SUBSTEPS)
    assert simulation.depth_m == pytest.approx(seated, abs=2e-4)
    assert simulation.state().wrench_in_base[2] == pytest.approx(-1.5, abs=0.3)


def test_peak_force_is_seen_between_the_readings_and_cleared_with_the_episode(make_simulation):
    simulation = make_simulation(connector={"retention": {"maximum_n": 0.0}})
    simulation.reset(0, goal_error_scale=0.0)
    assert simulation.peak_force_n == 0.0
    goal = simulation.goal_in_base
    beside = Pose(goal.position_m + np.array((0.003, 0.0, 0.0)), goal.quaternion_xyzw)
    descend(simulation, 40, goal=beside)
    assert simulation.peak_force_n > np.linalg.norm(simulation.state().wrench_in_base[:3])
    simulation.prepare_episode(1)
    assert simulation.peak_force_n == 0.0


def test_the_sensor_adds_a_bias_that_stays_for_an_episode_and_changes_with_it(make_simulation):
    simulation = make_simulation(task={"force_sensor": {"force_bias_n": 5.0, "force_noise_n": 0.1}})
    first = np.mean([simulation.state().wrench_in_base for _ in range(400)], axis=0)
    again = np.mean([simulation.state().wrench_in_base for _ in range(400)], axis=0)
    assert np.linalg.norm(first[:3]) > 0.5
    np.testing.assert_allclose(first, again, atol=0.05)
    simulation.prepare_episode(1)
    other = np.mean([simulation.state().wrench_in_base for _ in range(400)], axis=0)
    assert np.linalg.norm(first[:3] - other[:3]) > 0.5
    assert simulation.peak_force_n == 0.0, "the peak is of true force"


def test_an_episode_is_the_same_whenever_it_is_drawn(make_simulation):
    simulation = make_simulation()
    draw = simulation.reset(7)
    again = draw_episode(simulation.task, simulation.connector, 7)
    np.testing.assert_array_equal(draw.goal_error_m, again.goal_error_m)
    assert draw.retention_n == again.retention_n
    perfect = draw_episode(simulation.task, simulation.connector, 7, goal_error_scale=0.0)
    np.testing.assert_array_equal(perfect.goal_error_m, np.zeros(3))
    assert perfect.retention_n == draw.retention_n


def test_draws_cover_their_ranges_and_not_more(make_simulation):
    simulation = make_simulation(task={"socket_shift_m": 0.002})
    draws = [draw_episode(simulation.task, simulation.connector, seed) for seed in range(500)]
    for values, limit in (
        (np.array([d.goal_error_m[:2] for d in draws]), 0.001),
        (np.array([d.socket_shift_m[:2] for d in draws]), 0.002),
    ):
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() > 0.98 * limit
        assert abs(values.mean()) < 0.1 * limit
    retention = np.array([d.retention_n for d in draws])
    assert 0.0 <= retention.min() < 0.05
    assert 1.95 < retention.max() <= 2.0


def test_a_shifted_socket_moves_the_goal_with_it(make_simulation):
    simulation = make_simulation(task={"socket_shift_m": 0.005}, connector={"retention": {"maximum_n": 0.0}})
    draw = simulation.reset(3, goal_error_scale=0.0)
    taught = seated_pose(simulation.task, simulation.connector)
    np.testing.assert_allclose(simulation.goal_in_base.position_m - taught.position_m, draw.socket_shift_m)
    assert np.abs(draw.socket_shift_m).max() > 0.001
    descend(simulation, 30)
    assert simulation.electrical()


def test_a_restored_snapshot_goes_on_bit_for_bit(make_simulation):
    simulation = make_simulation(task={"force_sensor": {"force_bias_n": 1.0, "force_noise_n": 0.1}})
    simulation.reset(0)
    descend(simulation, 12)
    kept = simulation.snapshot()

    def run_on():
        descend(simulation, 8)
        state = simulation.state()
        rest = (simulation.peak_force_n, state.stamp_ns)
        return np.concatenate((state.joint_position_rad, state.wrench_in_base, rest))

    first = run_on()
    simulation.reset(5)
    simulation.restore(kept)
    np.testing.assert_array_equal(run_on(), first)


def test_time_goes_on_over_resets_and_counts_in_nanoseconds(make_simulation):
    simulation = make_simulation()
    simulation.advance(50)
    assert simulation.state().stamp_ns == 100_000_000
    simulation.reset(1)
    simulation.advance(1)
    assert simulation.time_ns == 102_000_000


def test_a_socket_out_of_reach_is_refused_with_what_to_do(make_simulation):
    with pytest.raises(SimulationError, match="socket_mouth_in_base_m into the arm's reach"):
        make_simulation(task={"scene": {"socket_mouth_in_base_m": [1.5, 0.0, 0.08]}})


def test_unstable_physics_is_reported_and_not_passed_on(make_simulation):
    simulation = make_simulation()
    simulation.data.qvel[:] = 1e9
    with pytest.raises(SimulationError, match="became unstable"):
        simulation.advance(5)
    simulation.reset(0)
    simulation.advance(5)


def test_the_tool_ends_at_the_middle_of_the_plugs_tip(make_simulation):
    simulation = make_simulation()
    tool = tcp_in_flange(simulation.connector)
    assert tool.position_m[2] == pytest.approx(0.13 + simulation.connector.depth_m)


def test_a_push_moves_the_arm_is_felt_and_ends(make_simulation):
    simulation = make_simulation(name="easy")
    start = simulation.tcp_in_base().position_m
    simulation.push(np.array((0.0, 60.0, 0.0)), 0.1)
    simulation.advance(50)
    assert simulation.state().wrench_in_base[:3] == pytest.approx((0.0, 60.0, 0.0), abs=0.5)
    assert simulation.peak_force_n > 50.0
    assert simulation.tcp_in_base().position_m[1] - start[1] > 0.005
    simulation.advance(1000)
    assert simulation.state().wrench_in_base[:3] == pytest.approx(np.zeros(3), abs=0.1)
    assert np.linalg.norm(simulation.tcp_in_base().position_m - start) < 0.001


def test_a_push_is_part_of_a_snapshot(make_simulation):
    simulation = make_simulation(name="easy")
    simulation.push(np.array((20.0, 0.0, 0.0)), 0.1)
    simulation.advance(10)
    snapshot = simulation.snapshot()
    simulation.advance(100)
    moved = simulation.tcp_in_base().position_m
    simulation.restore(snapshot)
    simulation.advance(100)
    np.testing.assert_array_equal(simulation.tcp_in_base().position_m, moved)
