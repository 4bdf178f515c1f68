"""What the recorded episodes of a run say of it: how far it is, what was trained on, how its trials went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, Transition, TransitionError, check_transition
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


@dataclass(frozen=True, slots=True)
class _Steps:
    """Of an episode. fitting: how many of its transitions a trainer takes. versions: of the classifiers that paid."""

    fitting: int
    versions: tuple[str, ...]


class Recordings:
    """The episodes of one run directory. Each call looks at the disk; EpisodeError where it cannot be read."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store
        self._read: dict[Path, _Steps] = {}

    def done(self, plan: SessionPlan) -> int:
        """How many episodes of ``plan`` are recorded."""
        return episodes_done(self._store, plan)

    def steps_for_training(self, spec: EnvironmentSpec) -> int:
        """How many transitions a trainer of ``spec`` has taken once it holds all that was meant for it."""
        trained = (episode for episode in self._store.episodes() if episode.contract.train)
        return sum(self._steps_of(episode, spec).fitting for episode in trained)

    def _steps_of(self, episode: Episode, spec: EnvironmentSpec) -> _Steps:
        """A recording that is finished does not change: it is read once."""
        if episode.path not in self._read:
            fitting, versions = 0, dict[str, None]()
            for step in self._store.transitions(episode):
                fitting += _fits(step, spec)
                versions[step.reward_version] = None
            self._read[episode.path] = _Steps(fitting, tuple(version for version in versions if version))
        return self._read[episode.path]

    def trials(self, plan: SessionPlan) -> tuple[Trial, ...]:
        """The finished episodes of ``plan``, in order."""
        found = ((episode, self._summary(episode)) for episode in episodes_of(self._store, plan))
        return tuple(Trial(episode.path.name, summary) for episode, summary in found if summary is not None)

    def reward_versions(self, spec: EnvironmentSpec) -> tuple[str, ...]:
        """Of the classifiers that paid, in the order in which they came; none for a formula."""
        found = (self._steps_of(episode, spec).versions for episode in self._store.episodes())
        return tuple(dict.fromkeys(version for versions in found for version in versions))

    def _summary(self, episode: Episode) -> EpisodeSummary | None:
        for message in self._store.decoded(episode, [SUMMARY_TOPIC]):
            return summary_from_message(message.content)
        return None


def _fits(transition: Transition, spec: EnvironmentSpec) -> bool:
    """Whether a trainer of ``spec`` takes it."""
    try:
        check_transition(transition, spec)
    except TransitionError:
        return False
    return True
