"""What ``tenon doctor --robot`` says of a Sawyer."""

from __future__ import annotations

import pytest

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon_sawyer.checks import check
from tenon_sawyer.config import DriverSettings


@pytest.fixture
def look(lab):
    given = load_named(RobotConfig, ConfigKind.ROBOTS, "sawyer-emulated").driver.settings

    def found(**changes):
        settings = DriverSettings.model_validate({**given, "master_uri": lab.emulator.uri, **changes})
        return {finding.check: finding for finding in check(settings)}

    return found


def test_robot_that_is_well(look):
    assert {name: finding.severity.value for name, finding in look().items()} == dict.fromkeys(
        ("ROS master", "robot", "software", "joint states", "state"), "ok"
    )


def test_error_of_the_robot_is_told_before_the_driver_refuses_it(lab, look):
    lab.emulator.arm.state.error = True
    assert "robot reset" in look()["state"].remedy


def test_hand_at_the_cuff_is_told_before_the_driver_refuses_it(lab, look):
    lab.squeeze_cuff(True)
    assert look()["state"].remedy == "let go of the cuff"


def test_host_that_is_none_of_this_machines_addresses_is_named(look):
    assert "'192.0.2.1' is no address of this machine" in look(host="192.0.2.1")["address"].seen
