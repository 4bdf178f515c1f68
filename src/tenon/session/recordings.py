"""What the recorded episodes of a run say of it: how far it is, what was trained on, how its trials went."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.data.store import TRANSITION_TOPIC, Episode, EpisodeStore
from tenon.session.machine import SessionPlan
from tenon.session.progress import episodes_done, episodes_of
from tenon.session.statistics import EpisodeSummary, summary_from_message

SUMMARY_TOPIC = "/session/episode"


@dataclass(frozen=True, slots=True)
class Trial:
    """An episode of practice and the folder of its recording."""

    recording: str
    summary: EpisodeSummary

    @property
    def exploits(self) -> bool:
        """Whether the reward called the episode a success and the detector did not; False without a detector."""
        return self.summary.success and self.summary.connected is False


class Recordings:
    """The episodes of one run directory. Each call looks at the disk; EpisodeError where it cannot be read."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store

    def done(self, plan: SessionPlan) -> int:
        """How many episodes of ``plan`` are recorded."""
        return episodes_done(self._store, plan)

    def steps_for_training(self) -> int:
        """How many transitions were meant for the trainer."""
        found = (episode for episode in self._store.episodes() if episode.contract.train)
        return sum(episode.counts.get(TRANSITION_TOPIC, 0) for episode in found)

    def trials(self, plan: SessionPlan) -> tuple[Trial, ...]:
        """The finished episodes of ``plan``, in order."""
        found = ((episode, self._summary(episode)) for episode in episodes_of(self._store, plan))
        return tuple(Trial(episode.path.name, summary) for episode, summary in found if summary is not None)

    def reward_version(self) -> str:
        """Of the classifier that paid first; empty for a formula, and before the first transition."""
        for episode in self._store.episodes():
            for transition in self._store.transitions(episode):
                return transition.reward_version
        return ""

    def _summary(self, episode: Episode) -> EpisodeSummary | None:
        for message in self._store.decoded(episode, [SUMMARY_TOPIC]):
            return summary_from_message(message.content)
        return None
