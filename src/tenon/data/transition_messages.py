"""``tenon_msgs/msg/Transition`` as the learner's ``Transition``: the same for a live message and a recorded one."""

from __future__ import annotations

import math
from typing import Any

from tenon.data.decode import ImageMessage, float32_array, image_to_array, stamp_to_ns
from tenon.data.transitions import FloatArray, ImageArray, Observation, Transition


def transition_from_message(message: Any) -> Transition:
    """message: any object with the fields of ``tenon_msgs/msg/Transition``. Raises DecodeError."""
    return Transition(
        session=str(message.session),
        episode=int(message.episode),
        step=int(message.step),
        observation=Observation(float32_array(message.state), _image_or_none(message.image)),
        action=float32_array(message.action),
        reward=float(message.reward),
        next_observation=Observation(
            float32_array(message.next_state),
            _image_or_none(message.next_image),
            _vector_or_none(message, "achieved_goal"),
        ),
        terminated=bool(message.terminated),
        truncated=bool(message.truncated),
        success=bool(message.success),
        saturated=bool(message.saturated),
        policy_version=int(message.policy_version),
        stamp_ns=stamp_to_ns(message.header.stamp),
        # Old recordings lack them: of before a person could take over, of before there were classifiers or practice.
        human=bool(getattr(message, "human", False)),
        reward_logit=float(getattr(message, "reward_logit", math.nan)),
        reward_version=str(getattr(message, "reward_version", "")),
        next_tcp_in_base_m=_vector_or_none(message, "next_tcp_in_base_m"),
    )


def _vector_or_none(message: Any, name: str) -> FloatArray | None:
    """Empty where there is none; recordings of before there were any lack the field."""
    vector = float32_array(getattr(message, name, ()))
    return vector if vector.size else None


def _image_or_none(image: ImageMessage) -> ImageArray | None:
    """Tasks without a camera send an empty image."""
    return image_to_array(image) if image.height and image.width else None
