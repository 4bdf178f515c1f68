"""The simulated arm behind the driver interface: what each state allows, and that it stops by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.base import ConfigurationError
from tenon.control.drivers import DriverError, DriverState
from tenon.control.geometry import distance
from tenon.control.types import ControlMode, Pose, Reference
from tenon_mujoco.config import MujocoDriverConfig
from tenon_mujoco.driver import MujocoDriver

TICK_S = 0.1
FOREVER_NS = 10**12


@pytest.fixture
def driver():
    made = MujocoDriver(MujocoDriverConfig(arm="ur5", task="hard"))
    made.configure()
    yield made
    made.close()


def below(driver, drop_m=0.01):
    here = driver.read().tcp_in_base
    return Pose(here.position_m - np.array((0.0, 0.0, drop_m)), here.quaternion_xyzw)


def cartesian(driver, target, *, valid_for_ns=FOREVER_NS):
    return Reference(driver.time_ns, ControlMode.CARTESIAN, "test", valid_for_ns, tcp_in_base=target)


def travelled_m(driver, act):
    before = driver.read().tcp_in_base
    act()
    return distance(before, driver.read().tcp_in_base)[0]


def test_nothing_works_before_configure():
    driver = MujocoDriver(MujocoDriverConfig(arm="ur5", task="hard"))
    assert driver.state is DriverState.UNCONFIGURED
    with pytest.raises(DriverError, match=r"call configure\(\) first"):
        driver.read()
    with pytest.raises(DriverError, match="activate"):
        driver.activate()


@pytest.mark.parametrize("broken", [{"arm": "ur6"}, {"task": "harder"}])
def test_unknown_names_are_refused_at_once(broken):
    with pytest.raises(ConfigurationError, match="There are: "):
        MujocoDriver(MujocoDriverConfig(**{"arm": "ur5", "task": "hard", **broken}))


def test_an_inactive_arm_holds_and_is_deaf(driver):
    with pytest.raises(DriverError, match=r"call activate\(\) before write\(\)"):
        driver.write(cartesian(driver, below(driver)))
    assert travelled_m(driver, lambda: driver.step(1.0)) < 1e-4


def test_an_active_arm_holds_until_the_first_reference(driver):
    driver.activate()
    assert travelled_m(driver, lambda: driver.step(1.0)) < 1e-4


def test_an_active_arm_goes_where_it_is_told(driver):
    driver.activate()
    target = below(driver)
    driver.write(cartesian(driver, target))
    driver.step(2.0)
    assert distance(driver.read().tcp_in_base, target)[0] < 1e-3


def test_it_follows_joint_references_too(driver):
    driver.activate()
    target = driver.read().joint_position_rad - 0.05  # upwards: free of the socket
    driver.write(Reference(driver.time_ns, ControlMode.JOINT, "test", FOREVER_NS, joint_position_rad=target))
    driver.step(4.0)
    np.testing.assert_allclose(driver.read().joint_position_rad, target, atol=2e-3)


def test_it_holds_by_itself_when_the_reference_runs_out(driver):
    driver.activate()
    driver.write(cartesian(driver, below(driver, 0.05), valid_for_ns=50_000_000))
    moving = travelled_m(driver, lambda: driver.step(0.05))
    driver.step(1.0)
    assert moving > 1e-3
    assert travelled_m(driver, lambda: driver.step(1.0)) < 5e-4


def test_a_hold_reference_stops_it(driver):
    driver.activate()
    driver.write(cartesian(driver, below(driver, 0.05)))
    driver.step(TICK_S)
    driver.write(Reference(driver.time_ns, ControlMode.HOLD, "test", FOREVER_NS))
    driver.step(1.0)
    assert travelled_m(driver, lambda: driver.step(1.0)) < 5e-4


def test_deactivation_stops_it_and_it_can_be_activated_again(driver):
    driver.activate()
    driver.write(cartesian(driver, below(driver, 0.05)))
    driver.step(TICK_S)
    driver.deactivate()
    driver.step(1.0)
    assert travelled_m(driver, lambda: driver.step(1.0)) < 5e-4
    driver.activate()
    assert travelled_m(driver, lambda: driver.step(1.0)) < 5e-4, "the old reference is forgotten"


@pytest.mark.parametrize(
    "broken",
    [
        {"mode": ControlMode.CARTESIAN},
        {"mode": ControlMode.CARTESIAN, "tcp_in_base": Pose(np.full(3, np.nan), np.array((1.0, 0, 0, 0)))},
        {"mode": ControlMode.JOINT},
        {"mode": ControlMode.JOINT, "joint_position_rad": np.zeros(7)},
        {"mode": ControlMode.JOINT, "joint_position_rad": np.full(6, np.inf)},
    ],
)
def test_a_reference_that_says_nothing_is_refused_and_the_old_one_kept(driver, broken):
    driver.activate()
    target = below(driver)
    driver.write(cartesian(driver, target))
    with pytest.raises(DriverError, match="needs"):
        driver.write(Reference(stamp_ns=driver.time_ns, source="test", valid_for_ns=FOREVER_NS, **broken))
    driver.step(2.0)
    assert distance(driver.read().tcp_in_base, target)[0] < 1e-3


@pytest.mark.parametrize("call", ["configure", "activate"])
def test_a_step_of_the_lifecycle_is_not_taken_twice(driver, call):
    driver.activate()
    with pytest.raises(DriverError, match="active"):
        getattr(driver, call)()


def test_time_passes_only_in_steps(driver):
    assert driver.time_ns == 0
    driver.step(TICK_S)
    assert driver.time_ns == driver.read().stamp_ns == 100_000_000
    driver.read()
    assert driver.time_ns == 100_000_000


def test_it_lets_a_plug_in_and_detects_it(driver):
    driver.prepare_episode(0)
    driver.activate()
    goal = driver.simulation.goal_in_base
    for _ in range(100):
        here = driver.read().tcp_in_base.position_m
        target = np.array((*goal.position_m[:2], max(goal.position_m[2] - 0.003, here[2] - 0.003)))
        driver.write(cartesian(driver, Pose(target, goal.quaternion_xyzw)))
        driver.step(TICK_S)
    assert driver.electrical()


def test_preparing_an_episode_does_not_move_the_arm(driver):
    driver.activate()
    driver.write(cartesian(driver, below(driver)))
    driver.step(2.0)
    assert travelled_m(driver, lambda: driver.prepare_episode(3)) == 0.0


def test_it_delivers_frames(driver):
    assert driver.frame("wrist", 48, 32).shape == (32, 48, 3)


def test_a_closed_driver_can_be_configured_again(driver):
    driver.close()
    assert driver.state is DriverState.UNCONFIGURED
    driver.configure()
    assert driver.state is DriverState.INACTIVE


@pytest.mark.parametrize("again", [("deactivate", "activate"), ("close", "configure", "activate")])
def test_an_arm_that_was_in_free_drive_listens_again_once_it_is_activated_anew(driver, again):
    driver.activate()
    driver.set_freedrive(on=True)
    for step in again:
        getattr(driver, step)()
    target = below(driver)
    driver.write(cartesian(driver, target))
    driver.step(2.0)
    assert distance(driver.read().tcp_in_base, target)[0] < 1e-3


def test_names_of_the_joints_are_those_of_the_arm(driver):
    assert len(driver.joint_names) == driver.read().joint_position_rad.size == 6
    assert driver.joint_names[0] == "shoulder_pan_joint"
