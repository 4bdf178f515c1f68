"""The wrist camera tells a plug that is home from one that is nearly there, or it is said that it does not."""

from __future__ import annotations

import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import parse
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.session import SessionConfig
from tenon.session.picture_check import doubts_of_picture
from tenon.session.stand import load_stand
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.sight import LEAST_PIXELS, alike, beyond_the_frame, differing_pixels
from tenon.simulation.tasks import InsertionTaskConfig

LEAST = {
    "name": "mine",
    "plug": {"shape": "rectangle", "width_m": 0.012, "height_m": 0.0045},
    "depth_m": 0.0085,
    "clearance_m": 0.0005,
}
BLADE = {"shape": "rectangle", "width_m": 0.0063, "height_m": 0.004}
FAR_BACK = {"x_m": 0.0, "y_m": 0.0222, "profile": {"shape": "rectangle", "width_m": 0.004, "height_m": 0.008}}
UK_PRONGS = [{"x_m": -0.0111, "profile": BLADE}, {"x_m": 0.0111, "profile": BLADE}, FAR_BACK]


def pixels(**changes):
    return differing_pixels(
        load_named(ArmConfig, ConfigKind.ARMS, "ur5"),
        parse(ConnectorConfig, {**LEAST, **changes}, where="mine.yaml"),
        load_named(InsertionTaskConfig, ConfigKind.TASKS, "job-far"),
    )


@pytest.mark.parametrize(
    "plug",
    [
        LEAST["plug"],
        {"shape": "round", "diameter_m": 0.0055},
        {"shape": "oval", "width_m": 0.009, "height_m": 0.003},
        {"shape": "round", "diameter_m": 0.01, "key": {"width_m": 0.002, "height_m": 0.001}},
        {"shape": "prongs", "prongs": UK_PRONGS},
    ],
)
def test_the_least_that_works_can_be_judged_from_the_picture(plug):
    assert not alike(pixels(plug=plug))


def test_a_handle_that_hides_the_mouth_is_said_to_with_the_remedy():
    seen = pixels(handle={"width_m": 0.02, "height_m": 0.012})
    assert seen < LEAST_PIXELS
    assert f"home and 1.5 mm short look alike: {seen} of 4096 pixels differ" in alike(seen)
    assert "shoulder_gap_m, a smaller handle" in alike(seen)


def test_a_session_paid_by_a_picture_that_tells_nothing_is_doubted():
    daib = {"reward": "daib", "reward_checkpoint": "runs/daib", "observation": "image", "cameras": ["wrist"]}
    for reward, doubted in (({}, False), (daib, True)):
        config = {"name": "mine", "robot": "sim", "task": "usb", "episodes": 1, **reward}
        doubts = doubts_of_picture(load_stand(parse(SessionConfig, config, where="test")))
        assert bool(doubts) == doubted
        assert all("connector 'usb': home and" in doubt for doubt in doubts)


def test_a_plug_that_leaves_the_picture_on_the_cameras_side_is_said_to():
    def doubt(height_m):
        plug = {"shape": "rectangle", "width_m": 0.01, "height_m": height_m}
        panel = {"width_m": 0.3, "height_m": 0.3}
        return beyond_the_frame(parse(ConnectorConfig, {**LEAST, "plug": plug, "panel": panel}, where="mine.yaml"))

    assert not doubt(0.08)
    assert "the plug reaches 45 mm towards the camera" in doubt(0.09)
    assert "the plug reaches 100 mm towards the camera" in doubt(0.2)
