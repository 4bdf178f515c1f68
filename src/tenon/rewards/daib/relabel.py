"""Old data paid anew by another classifier: as if it had been the reward when they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tenon.data.transitions import Observation, Transition, TransitionError
from tenon.rewards.base import RewardObservation
from tenon.rewards.daib.classifier import RewardClassifier
from tenon.rewards.daib.reward import ClassifierReward


def relabelled(transitions: Iterable[Transition], classifier: RewardClassifier) -> Iterator[Transition]:
    """The same transitions with reward, success, logit and version of ``classifier``, as if it had been their reward.

    Transitions of an episode come in order, and sessions one after the other: each is judged by a reward of its own.
    In a session the reward sees an episode's first picture as well, before any action; so it does here. What a resumed
    session knew of before it was resumed is not known here: it is a session like another. Raises
    TransitionError for one without a picture, RewardError for a picture of another size.
    """
    reward = ClassifierReward(classifier)
    before: Transition | None = None
    for transition in transitions:
        if before is None or before.session != transition.session:
            reward = ClassifierReward(classifier)
        if before is None or (before.session, before.episode) != (transition.session, transition.episode):
            reward.begin_episode()
            reward.reward(_seen(transition, transition.observation))
        elif transition.step != before.step + 1:
            reward.interrupt()
            reward.reward(_seen(transition, transition.observation))
        before = transition
        judged = reward.reward(_seen(transition, transition.next_observation))
        yield replace(
            transition,
            reward=judged.value,
            success=judged.success,
            reward_logit=judged.logit,
            reward_version=judged.version,
        )


def _seen(transition: Transition, observation: Observation) -> RewardObservation:
    """What the reward sees of one of the transition's two observations."""
    if observation.image is None:
        raise TransitionError(
            f"session {transition.session!r}, episode {transition.episode}, step {transition.step}: holds no "
            f"picture to judge: record with a camera"
        )
    return RewardObservation(image=observation.image)
