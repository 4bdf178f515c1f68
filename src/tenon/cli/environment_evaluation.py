"""A checkpoint's policy on the fixed draws of an environment, without a graph."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from tenon.cli.checkpoints import newest_of, policy_of
from tenon.cli.console import note
from tenon.cli.errors import CommandError
from tenon.environments.registry import make_environment
from tenon.experiments import episodes
from tenon.session.draws import EVALUATION_SEED
from tenon.session.report import wilson_interval
from tenon.training.snapshot import SnapshotError, load_actor


@dataclass(frozen=True, slots=True)
class EnvironmentEvaluation:
    """success: share of draws that end in success, with its 95 % interval. steps_to_success: mean, None without any."""

    environment: str
    checkpoint: str
    method: str
    updates: int
    draws: int
    deterministic: bool
    success: float
    low: float
    high: float
    steps_to_success: float | None
    total_reward: float
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def table(self) -> Table:
        """For the terminal."""
        table = Table(title=f"{self.environment}, {self.draws} fixed draws", title_justify="left")
        for column in ("method", "updates", "success", "95 % interval", "steps", "return"):
            table.add_column(column)
        steps = "-" if self.steps_to_success is None else f"{self.steps_to_success:.1f}"
        interval = f"{self.low:.2f} - {self.high:.2f}"
        table.add_row(
            self.method, str(self.updates), f"{self.success:.2f}", interval, steps, f"{self.total_reward:.1f}"
        )
        return table


def evaluate_in_environment(
    environment: str, checkpoint: Path, draws: int, *, deterministic: bool
) -> EnvironmentEvaluation:
    """Raises ConfigurationError for an unknown environment, UsageError or CommandError for a checkpoint of no use."""
    started_s = time.monotonic()
    env = make_environment(environment)
    place = newest_of(checkpoint)
    note(f"policy: {place}")
    snapshot = policy_of(place)
    try:
        actor = load_actor(snapshot, spec=env.spec, rng=np.random.default_rng(EVALUATION_SEED))
    except SnapshotError as error:
        raise CommandError(f"{place}: {error}") from error
    seen = episodes.roll_out(
        env,
        lambda observation: actor.act(observation, deterministic=deterministic),
        episodes.evaluation_seeds(draws),
    )
    interval = wilson_interval(sum(episode.at_end for episode in seen), draws)
    return EnvironmentEvaluation(
        environment=environment,
        checkpoint=str(place),
        method=snapshot.method,
        updates=snapshot.version,
        draws=draws,
        deterministic=deterministic,
        success=episodes.success_rate(seen),
        low=interval.low,
        high=interval.high,
        steps_to_success=episodes.mean_steps(seen),
        total_reward=episodes.mean_return(seen),
        wall_s=time.monotonic() - started_s,
    )
