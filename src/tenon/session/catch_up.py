"""What a trainer missed while it was dead, from the episodes on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from tenon.data.episodes import EpisodeError
from tenon.data.store import EpisodeStore
from tenon.data.transitions import Transition
from tenon.training.trainer import Trainer

_log = logging.getLogger(__name__)


def missed_episodes(store: EpisodeStore, trainer: Trainer) -> Iterator[Sequence[Transition]]:
    """The recorded training episodes, oldest first, of which ``trainer`` does not hold every step to the end.

    Also those that a fault or a person broke off: a trainer that was there took their steps as they came, and one that
    catches up shall be equal to it. One that cannot be used is told, and keeps the others from nothing.
    """
    for episode in store.episodes():
        contract = episode.contract
        if contract.train and not trainer.has_episode(contract.session, contract.session_episode):
            try:
                transitions = list(store.transitions(episode))
            except EpisodeError as error:
                _log.error("not caught up with: %s", error)
                continue
            yield transitions
