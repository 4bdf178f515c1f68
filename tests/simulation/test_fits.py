"""A connector that no episode of a task could work with is refused, with the numbers and the key to change."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, parse
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.safety import SafetyConfig
from tenon.control.types import Pose
from tenon.simulation import insertion
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.fits import check_fits, doubts
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.tasks import InsertionTaskConfig

PLUG = {"shape": "rectangle", "width_m": 0.02, "height_m": 0.008}
RECESS = {"margin_x_m": 0.003, "margin_y_m": 0.003, "proud_m": -0.004}


def connector(**changes):
    data = {"name": "mine", "plug": PLUG, "depth_m": 0.01, "clearance_m": 0.0005, **changes}
    return parse(ConnectorConfig, data, where="mine.yaml")


def task(name="job-far"):
    return load_named(InsertionTaskConfig, ConfigKind.TASKS, name)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [({"depth_m": 0.030}, "31 mm above home"), ({"depth_m": 0.022, "housing": RECESS}, "27 mm above home")],
)
def test_a_plug_that_would_start_inside_the_panel_is_refused_before_it_is_simulated(changes, needed):
    arm = load_named(ArmConfig, ConfigKind.ARMS, "ur5")
    with pytest.raises(ConfigurationError, match="connector 'mine'") as refused:
        InsertionSimulation(arm, connector(**changes), task())
    assert needed in str(refused.value)
    assert "start_height_m of the task is 24 mm" in str(refused.value)


def test_the_deepest_plug_that_is_taken_starts_in_the_air_and_lies_still():
    simulation = InsertionSimulation(load_named(ArmConfig, ConfigKind.ARMS, "ur5"), connector(depth_m=0.023), task())
    simulation.advance(50)
    assert simulation.peak_force_n < 0.5


def test_a_reset_that_would_drag_the_plug_sideways_in_its_socket_is_refused():
    check_fits(connector(depth_m=0.03), task("usb"), withdraw_m=0.04)
    with pytest.raises(ConfigurationError, match=r"reset\.withdraw_m of the session is 24 mm"):
        check_fits(connector(depth_m=0.03), task("usb"), withdraw_m=0.024)


def test_home_below_the_safety_workspace_is_refused():
    workspace = load_named(SafetyConfig, ConfigKind.SAFETY, "ur5").workspace
    deep = task("usb").model_copy(update={"start_height_m": 0.1})
    check_fits(connector(depth_m=0.049), deep, workspace=workspace)
    with pytest.raises(ConfigurationError, match="the safety workspace ends at 30 mm"):
        check_fits(connector(depth_m=0.055), deep, workspace=workspace)


def test_a_connector_that_mujoco_does_not_take_is_named(monkeypatch):
    monkeypatch.setattr(
        insertion, "scene_mjcf", lambda *parts: "<mujoco><worldbody><geom size='-1'/></worldbody></mujoco>"
    )
    with pytest.raises(ConfigurationError, match="connector 'mine' makes no scene"):
        InsertionSimulation(load_named(ArmConfig, ConfigKind.ARMS, "ur5"), connector(), task())


def test_a_plug_so_shallow_that_the_rim_counts_as_home_is_refused():
    check_fits(connector(depth_m=0.002), task())
    with pytest.raises(ConfigurationError, match=r"depth_m is 2 mm, success_tolerance_m of the task 2 mm"):
        check_fits(connector(depth_m=0.002), task("usb"))
    with pytest.raises(ConfigurationError, match=r"a depth_m of 0\.002 or more"):
        check_fits(connector(depth_m=0.0019), task())


@pytest.mark.parametrize(("name", "pressed"), [("job-far", "8 N"), ("usb", "17.6 N")])
def test_springs_that_the_arm_cannot_overcome_are_refused(name, pressed):
    check_fits(connector(retention={"maximum_n": 7.0}), task(name))
    with pytest.raises(ConfigurationError, match=f"the arm presses with at most {pressed}"):
        check_fits(connector(retention={"maximum_n": 16.0}), task(name))


def test_springs_that_take_much_of_what_the_arm_can_press_are_doubted():
    assert not doubts(connector(retention={"maximum_n": 3.0}), task())
    assert "5 N is much of the 8 N" in " ".join(doubts(connector(retention={"maximum_n": 5.0}), task()))


def test_springs_that_are_just_taken_let_a_full_push_home():
    simulation = InsertionSimulation(
        load_named(ArmConfig, ConfigKind.ARMS, "ur5"),
        connector(retention={"minimum_n": 7.0, "maximum_n": 7.0}, depth_m=0.008),
        task(),
    )
    simulation.reset(0, goal_error_scale=0.0)
    for _ in range(40):
        here = simulation.tcp_in_base()
        simulation.step(Pose(here.position_m - np.array((0.0, 0.0, 0.005)), here.quaternion_xyzw), 50)
    assert simulation.electrical()
