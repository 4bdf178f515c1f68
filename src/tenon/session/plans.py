"""Runs that a session's configuration asks for."""

from __future__ import annotations

from tenon.configuration.session import LEARNED
from tenon.session.machine import SessionPlan
from tenon.session.setup import SessionSetup


def configured_plan(setup: SessionSetup) -> SessionPlan:
    """The session's own episodes: they train where there is something to train."""
    config = setup.config
    train = config.train and config.controller in LEARNED
    return SessionPlan(
        controller=config.controller,
        episodes=config.episodes,
        train=train,
        deterministic=config.deterministic,
        goal_error_m=setup.goal_error_m,
        goal_error_min_m=setup.goal_error_min_m,
        seed=config.seed,
        stop_at_success=not train,
        record=True,
    )
