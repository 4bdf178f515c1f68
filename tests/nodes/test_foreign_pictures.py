"""Pictures of a camera that is not Tenon's: what nobody can read is told, and ends no node."""

from __future__ import annotations

import queue
from types import SimpleNamespace
from typing import Any

import pytest
from sensor_msgs.msg import CameraInfo, Image
from tenon_msgs.msg import Observation

from tenon_control.residual_controller import ResidualControllerNode
from tenon_perception.observation_node import ObservationNode
from tenon_session.teaching import StandError, TeachingNode

UNKNOWN = Image(height=2, width=2, encoding="yuv422", step=4, data=bytes(8))
READABLE = Image(height=1, width=1, encoding="rgb8", step=3, data=bytes(3))
FISHEYE = CameraInfo(distortion_model="equidistant", d=[0.1, 0.2, 0.3, 0.4])


def teller() -> tuple[Any, list[str]]:
    """What a node says when something is wrong, and a stand-in for it that does no more."""
    told: list[str] = []
    return SimpleNamespace(get_logger=lambda: SimpleNamespace(error=lambda words, **_: told.append(words))), told


def test_an_observation_goes_without_a_picture_that_cannot_be_read() -> None:
    node, told = teller()
    ObservationNode._on_image(node, UNKNOWN)
    assert "'yuv422' is not supported. Allowed: rgb8, bgr8, mono8" in told[0]


def test_a_search_that_cannot_read_its_picture_asks_for_nothing() -> None:
    node, told = teller()
    ResidualControllerNode._follow(node, SimpleNamespace(), "spiral", Observation(image=UNKNOWN))  # type: ignore[arg-type]
    assert "'yuv422' is not supported" in told[0]


@pytest.mark.parametrize(
    ("picture", "lens", "words"),
    [(UNKNOWN, None, "'yuv422' is not supported"), (READABLE, FISHEYE, "'equidistant' with 4 coefficients")],
)
def test_a_person_who_teaches_is_told_what_the_camera_sends(
    monkeypatch: pytest.MonkeyPatch, picture: Image, lens: CameraInfo | None, words: str
) -> None:
    node: Any = SimpleNamespace(_lens=lens, _pictures=None)

    class Delivered(queue.SimpleQueue):  # type: ignore[type-arg]
        def __init__(self) -> None:
            super().__init__()
            self.put(picture)

    monkeypatch.setattr("tenon_session.teaching.queue", SimpleNamespace(SimpleQueue=Delivered, Empty=queue.Empty))
    with pytest.raises(StandError, match=words):
        TeachingNode.picture(node)
