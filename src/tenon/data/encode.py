"""Messages as CDR without ROS: for what records episodes outside a graph. The counterpart of ``decode``.

The definitions that a recording carries for its readers (``TopicSpec.definition``) are what messages are made by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcap_ros2.writer import serialize_dynamic

from tenon.data.episodes import TopicSpec
from tenon.data.transitions import ImageArray, Transition

_NS_PER_S = 1_000_000_000
_ENCODINGS = {1: "mono8", 3: "rgb8"}


class MessageEncoder:
    """Messages of one topic as CDR with its 4-byte header."""

    def __init__(self, topic: TopicSpec) -> None:
        self.topic = topic
        self._encode = serialize_dynamic(topic.type, topic.definition)[topic.type]

    def __call__(self, fields: Mapping[str, Any]) -> bytes:
        """fields: values by name, messages within as mappings. What is left out has its default (0, empty)."""
        return bytes(self._encode(dict(fields)))


def header_fields(stamp_ns: int, frame_id: str = "") -> dict[str, Any]:
    """Of ``std_msgs/msg/Header``."""
    return {"stamp": {"sec": stamp_ns // _NS_PER_S, "nanosec": stamp_ns % _NS_PER_S}, "frame_id": frame_id}


def image_fields(image: ImageArray | None, stamp_ns: int) -> dict[str, Any]:
    """Of ``sensor_msgs/msg/Image``: (height, width, 1 or 3) of uint8; an empty message for None."""
    if image is None:
        return {}
    height, width, channels = image.shape
    return {
        "header": header_fields(stamp_ns),
        "height": height,
        "width": width,
        "encoding": _ENCODINGS[channels],
        "step": width * channels,
        "data": image.tobytes(),
    }


def transition_fields(transition: Transition, *, train: bool) -> dict[str, Any]:
    """Of ``tenon_msgs/msg/Transition``: what ``transition_from_message`` reads. train: it is meant for a trainer."""
    seen, following = transition.observation, transition.next_observation
    goal, tcp = following.achieved_goal, transition.next_tcp_in_base_m
    return {
        "header": header_fields(transition.stamp_ns),
        "session": transition.session,
        "episode": transition.episode,
        "step": transition.step,
        "state": seen.state.tolist(),
        "action": transition.action.tolist(),
        "reward": transition.reward,
        "next_state": following.state.tolist(),
        "achieved_goal": [] if goal is None else goal.tolist(),
        "terminated": transition.terminated,
        "truncated": transition.truncated,
        "success": transition.success,
        "train": train,
        "saturated": transition.saturated,
        "human": transition.human,
        "policy_version": transition.policy_version,
        "reward_version": transition.reward_version,
        "reward_logit": transition.reward_logit,
        "next_tcp_in_base_m": [] if tcp is None else tcp.tolist(),
        "image": image_fields(seen.image, transition.stamp_ns),
        "next_image": image_fields(following.image, transition.stamp_ns),
    }
