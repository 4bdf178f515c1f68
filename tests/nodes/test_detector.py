"""The word of the stand's detector on its way through messages, and a driver that must agree with its robot's file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tenon_msgs.msg import Observation

from tenon.configuration.resolve import ConfigKind, names
from tenon.control.drivers import ArmDriver, DriverError
from tenon.session.setup import load_setup
from tenon.session.statistics import EpisodeSummary, Outcome, summary_from_message
from tenon_control.real_arm import check_detector
from tenon_graph.conversions import electrical_from_msg
from tenon_graph.learning import reward_input
from tenon_graph.sessions import summary_to_msg

SUMMARY: dict[str, Any] = {
    "episode": 3,
    "controller": "policy",
    "outcome": Outcome.SUCCESS,
    "detail": "",
    "success": True,
    "steps": 20,
    "steps_to_success": 5,
    "total_reward": 15.0,
    "peak_force_n": 4.0,
    "goal_error_m": np.zeros(3),
    "seed": 7,
    "policy_version": 2,
}


def driver(word: bool | None) -> ArmDriver:
    return cast(ArmDriver, SimpleNamespace(detector=lambda: word))


@pytest.mark.parametrize("connected", [True, False, None])
def test_summary_comes_back_from_its_message_with_the_detectors_word(connected: bool | None) -> None:
    msg = summary_to_msg(EpisodeSummary(**SUMMARY, connected=connected), "session", 0)
    assert msg.no_detector is (connected is None)
    assert summary_from_message(msg).connected is connected


@pytest.mark.parametrize("connected", [True, False])
def test_summary_of_before_stands_could_be_without_one_is_read_as_it_was_meant(connected: bool) -> None:
    msg = summary_to_msg(EpisodeSummary(**SUMMARY, connected=connected), "session", 0)
    recorded = SimpleNamespace(**{name: getattr(msg, name) for name in msg.get_fields_and_field_types()})
    del recorded.no_detector
    assert summary_from_message(recorded).connected is connected


@pytest.mark.parametrize("connected", [True, False, None])
def test_reward_gets_the_detectors_word_or_none(connected: bool | None) -> None:
    msg = Observation(electrical=bool(connected), no_detector=connected is None)
    msg.state = [0.0] * 4
    assert electrical_from_msg(msg) is connected
    assert reward_input(msg).electrical is connected


@pytest.mark.parametrize(("robot", "word"), [("ur5-emulated", False), ("ur5", None), ("sawyer-emulated", None)])
def test_driver_that_reads_what_the_robots_file_says_is_taken(robot: str, word: bool | None) -> None:
    check_detector(driver(word), load_setup("sim", {"robot": robot}))


@pytest.mark.parametrize(
    ("robot", "word", "told"),
    [
        ("ur5-emulated", None, "`detector` is driver in its file, its driver reads none: name the input"),
        ("ur5", False, "`detector` is null in its file, its driver reads one: say `detector: driver`"),
        ("sawyer-emulated", True, "`detector` is node in its file, its driver reads one"),
    ],
)
def test_driver_and_file_that_disagree_are_told_apart_before_the_arm_is_reached(
    robot: str, word: bool | None, told: str
) -> None:
    with pytest.raises(DriverError, match=f"robot '{robot}': {told}"):
        check_detector(driver(word), load_setup("sim", {"robot": robot}))


@pytest.mark.parametrize("robot", [name for name in names(ConfigKind.ROBOTS) if name.startswith("ur5")])
def test_shipped_ur5_has_an_input_where_its_file_says_so(robot: str) -> None:
    config = load_setup("sim", {"robot": robot}).robot
    if config.driver.package == "tenon_ur5":
        assert (config.driver.settings.get("detector_input") is not None) == (config.detector == "driver")
