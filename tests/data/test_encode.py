"""What is encoded without ROS is what any ROS program reads, and what the learner sees of a live message."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tenon.data.encode import MessageEncoder, header_fields, image_fields, transition_fields
from tenon.data.episodes import TopicSpec
from tenon.data.schemas import full_definition
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import Observation, Transition

TRANSITION = "tenon_msgs/msg/Transition"


def transition(**changes: Any) -> Transition:
    rng = np.random.default_rng(5)

    def seen() -> Observation:
        return Observation(rng.normal(size=4).astype(np.float32), rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))

    made = Transition(
        session="usb-7",
        episode=3,
        step=11,
        observation=seen(),
        action=np.array((0.5, -1.0, 0.25), np.float32),
        reward=1.0,
        next_observation=seen(),
        terminated=False,
        truncated=True,
        success=True,
        saturated=True,
        human=True,
        policy_version=2**40,
        stamp_ns=1_234_567_890_123,
        reward_logit=-2.5,
        reward_version="abc",
        next_tcp_in_base_m=np.array((0.5, -0.25, 0.125), np.float32),
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def encoder(ros: Any) -> MessageEncoder:
    return MessageEncoder(TopicSpec("/transition", TRANSITION, full_definition(TRANSITION, ros.find_share)))


def assert_same(one: Transition, other: Transition) -> None:
    for field in dataclasses.fields(Transition):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, Observation):
            assert np.array_equal(a.state, b.state)
            assert (a.image is None) == (b.image is None) and (a.image is None or np.array_equal(a.image, b.image))
            assert (a.achieved_goal is None) == (b.achieved_goal is None)
        else:
            assert np.array_equal(a, b), field.name


@pytest.mark.parametrize("changes", [{}, {"session": "", "truncated": False, "success": False, "reward": 0.1}])
def test_encoded_transition_comes_back_through_an_independent_reader(
    ros: Any, encoder: MessageEncoder, changes: dict[str, Any]
) -> None:
    original = transition(**changes)
    if "reward" in changes:
        original = dataclasses.replace(original, reward=float(np.float32(original.reward)))
    data = encoder(transition_fields(original, train=True))
    message = ros.store.deserialize_cdr(data, TRANSITION)
    assert_same(transition_from_message(message), original)
    assert message.train and message.image.encoding == "rgb8"
    assert data == ros.cdr(message), "an independent writer gives other bytes"


def test_transition_without_a_picture_has_an_empty_image(ros: Any, encoder: MessageEncoder) -> None:
    blind = Observation(np.zeros(4, np.float32))
    original = transition(observation=blind, next_observation=blind)
    message = ros.store.deserialize_cdr(encoder(transition_fields(original, train=False)), TRANSITION)
    assert message.image.height == 0 and not message.train
    assert_same(transition_from_message(message), original)


def test_grey_picture_is_mono8() -> None:
    fields = image_fields(np.zeros((4, 5, 1), np.uint8), 10**9 + 7)
    assert (fields["encoding"], fields["step"], len(fields["data"])) == ("mono8", 5, 20)
    assert fields["header"] == header_fields(10**9 + 7) and fields["header"]["stamp"] == {"sec": 1, "nanosec": 7}
