"""What a trainer missed while it was dead, from the episodes on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenon.data.store import EpisodeStore
from tenon.data.transitions import Transition
from tenon.training.trainer import Trainer


def missed_episodes(store: EpisodeStore, trainer: Trainer) -> Iterator[Sequence[Transition]]:
    """The recorded training episodes, oldest first, of which ``trainer`` does not hold every step.

    Episodes that did not run to their end (a fault, a stop), or of which a part was not recorded, are left out.
    """
    for episode in store.episodes():
        contract = episode.contract
        if not contract.train or not episode.outcome.complete:
            continue
        if trainer.has_episode(contract.session, contract.session_episode):
            continue
        transitions = list(store.transitions(episode))
        if transitions and transitions[-1].ended:
            yield transitions
