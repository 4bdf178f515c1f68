"""How far a session has come, read from the episodes that it left behind."""

from __future__ import annotations

from tenon.data.store import EpisodeStore
from tenon.session.machine import SessionPlan

_FINISHED = ("success", "timeout", "fault")


def episodes_done(store: EpisodeStore, plan: SessionPlan) -> int:
    """How many episodes of ``plan`` are recorded: one more than the index of the last one.

    An episode belongs to the plan if its controller is the same and its seed is one of the plan's.
    """
    indices = [
        episode.contract.seed - plan.seed
        for episode in store.episodes()
        if episode.contract.controller == plan.controller
        and plan.seed <= episode.contract.seed < plan.seed + plan.episodes
        and episode.outcome.result in _FINISHED
    ]
    return max(indices, default=-1) + 1
