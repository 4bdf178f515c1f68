"""Messages of learning to the core's values and back."""

from __future__ import annotations

from array import array

import numpy as np
from tenon_msgs.msg import Observation as ObservationMsg
from tenon_msgs.msg import PolicyWeights, TrainerState
from tenon_msgs.msg import Transition as TransitionMsg

from tenon.data.decode import image_to_array
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import Observation, ObservationSpec, Transition
from tenon.rewards import RewardObservation
from tenon.training.snapshot import PolicySnapshot
from tenon_graph.conversions import electrical_from_msg


def observation_from_msg(msg: ObservationMsg, spec: ObservationSpec) -> Observation:
    """What the learner of ``spec`` sees: a picture that is there for the reward alone is left out."""
    image = image_to_array(msg.image) if spec.image is not None and msg.image.height else None
    return Observation(np.array(msg.state, dtype=np.float32), image)


def reward_input(msg: ObservationMsg) -> RewardObservation:
    return RewardObservation(
        position_error_m=np.array(msg.state[:3], dtype=np.float64),
        pressing_force_n=float(msg.force_n.z),
        electrical=electrical_from_msg(msg),
        image=image_to_array(msg.image) if msg.image.height else None,
    )


def transition_from_msg(msg: TransitionMsg) -> Transition:
    return transition_from_message(msg)


def snapshot_from_msg(msg: PolicyWeights) -> PolicySnapshot:
    return PolicySnapshot(version=msg.version, method=msg.method, manifest=msg.manifest, weights=bytes(msg.safetensors))


def snapshot_to_msg(snapshot: PolicySnapshot) -> PolicyWeights:
    msg = PolicyWeights(version=snapshot.version, method=snapshot.method, manifest=snapshot.manifest)
    msg.safetensors = array("B", snapshot.weights)
    return msg


def metrics_into_msg(metrics: dict[str, float], msg: TrainerState) -> None:
    msg.metric_names = list(metrics)
    msg.metric_values = array("d", metrics.values())
