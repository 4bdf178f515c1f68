"""How far a session has come, read from the episodes that it left behind."""

from __future__ import annotations

from tenon.data.store import Episode, EpisodeStore
from tenon.session.machine import SessionPlan

_FINISHED = ("success", "timeout", "failure", "fault")


def episodes_of(store: EpisodeStore, plan: SessionPlan) -> list[Episode]:
    """The finished episodes of ``plan``, in the order of their seeds.

    An episode belongs to the plan if its controller is the same and its seed is one of the plan's.
    """
    found = {
        episode.contract.seed: episode
        for episode in store.episodes()
        if episode.contract.controller == plan.controller
        and plan.seed <= episode.contract.seed < plan.seed + plan.episodes
        and episode.outcome.result in _FINISHED
    }
    return [found[seed] for seed in sorted(found)]


def episodes_done(store: EpisodeStore, plan: SessionPlan) -> int:
    """How many episodes of ``plan`` are recorded: one more than the index of the last one."""
    found = episodes_of(store, plan)
    return found[-1].contract.seed - plan.seed + 1 if found else 0
