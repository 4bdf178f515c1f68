"""What a trainer missed while it was dead, from the episodes on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenon.data.store import EpisodeStore
from tenon.data.transitions import Transition
from tenon.training.trainer import Trainer


def missed_episodes(store: EpisodeStore, trainer: Trainer) -> Iterator[Sequence[Transition]]:
    """The recorded training episodes, oldest first, of which ``trainer`` does not hold every step to the end.

    Also those that a fault or a person broke off: a trainer that was there took their steps as they came, and one that
    catches up shall be equal to it.
    """
    for episode in store.episodes():
        contract = episode.contract
        if contract.train and not trainer.has_episode(contract.session, contract.session_episode):
            yield list(store.transitions(episode))
