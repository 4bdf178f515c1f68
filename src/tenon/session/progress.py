"""How far a session has come, read from the episodes that it left behind."""

from __future__ import annotations

from collections.abc import Iterator

from tenon.data.store import Episode, EpisodeStore
from tenon.session.machine import SessionPlan

_FINISHED = ("success", "timeout", "failure", "fault")


def episodes_of(store: EpisodeStore, plan: SessionPlan) -> list[Episode]:
    """The finished episodes of ``plan``, in the order of their seeds.

    An episode belongs to the plan if its controller is the same and its seed is one of the plan's.
    """
    found = {episode.contract.seed: episode for episode in _of_plan(store, plan)}
    return [found[seed] for seed in sorted(found)]


def missing_seeds(store: EpisodeStore, plan: SessionPlan) -> list[int]:
    """The seeds of ``plan`` of which no finished episode without loss is on the disk, in order."""
    whole = {episode.contract.seed for episode in _of_plan(store, plan) if episode.outcome.complete}
    return [seed for seed in range(plan.seed, plan.seed + plan.episodes) if seed not in whole]


def episodes_done(store: EpisodeStore, plan: SessionPlan) -> int:
    """How many episodes of ``plan`` are recorded: one more than the index of the last one."""
    found = episodes_of(store, plan)
    return found[-1].contract.seed - plan.seed + 1 if found else 0


def _of_plan(store: EpisodeStore, plan: SessionPlan) -> Iterator[Episode]:
    for episode in store.episodes():
        is_of_plan = episode.contract.controller == plan.controller
        is_of_plan &= plan.seed <= episode.contract.seed < plan.seed + plan.episodes
        if is_of_plan and episode.outcome.result in _FINISHED:
            yield episode
