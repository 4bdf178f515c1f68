"""Evaluating a controller on fixed draws, for `tenon evaluate` and the demo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.table import Table

from tenon.cli.errors import CommandError
from tenon.session.draws import EVALUATION_SEED
from tenon.session.machine import DONE, SessionPlan
from tenon.session.report import COLUMNS, Evaluation, evaluate, table_row
from tenon.session.statistics import EpisodeSummary

if TYPE_CHECKING:
    from tenon.cli.running import RunningSession

REPEATS = 2
"""How often a draw that does not count is run again."""
NOISY, PERFECT = "noisy", "perfect"


def condition_of(goal_error_m: float) -> str:
    """The name of an evaluation's condition in reports."""
    return NOISY if goal_error_m > 0.0 else PERFECT


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What to evaluate.

    controller: of the session. name: in tables and reports. goal_error_m: half width of the goal's error; 0 is the
    condition "perfect". goal_error_min_m: where given, the error lies in a ring from it to goal_error_m. seed: of the
    first draw. stop_at_success: an episode ends once success has held.
    """

    controller: str
    name: str
    goal_error_m: float
    draws: int
    deterministic: bool = False
    record: bool = False
    goal_error_min_m: float | None = None
    seed: int = EVALUATION_SEED
    stop_at_success: bool = True

    @property
    def condition(self) -> str:
        return condition_of(self.goal_error_m)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation and the episodes that it counted."""

    evaluation: Evaluation
    episodes: tuple[EpisodeSummary, ...]


def run_evaluation(
    session: RunningSession,
    plan: EvaluationPlan,
    title: str,
    *,
    force_limit_n: float,
    counts: Callable[[EpisodeSummary], bool] = lambda episode: True,
) -> Evaluated:
    """Runs one evaluation on a session that is up. Raises CommandError when it did not run to its end.

    counts: whether an episode says something of the controller. The draw of one that does not is run again; one that
    never does is among the episodes all the same.
    """
    episodes = list(_run_draws(session, plan, title))
    for draw in range(plan.draws):
        for _ in range(REPEATS):
            if counts(episodes[draw]):
                break
            again = replace(plan, seed=plan.seed + draw, draws=1)
            (episodes[draw],) = _run_draws(session, again, f"{title}: draw {draw + 1} again")
    counted = evaluate(plan.name, plan.condition, episodes, force_limit_n=force_limit_n)
    return Evaluated(counted, tuple(episodes))


def _run_draws(session: RunningSession, plan: EvaluationPlan, title: str) -> tuple[EpisodeSummary, ...]:
    goal = SessionPlan(
        controller=plan.controller,
        episodes=plan.draws,
        train=False,
        deterministic=plan.deterministic,
        goal_error_m=plan.goal_error_m,
        goal_error_min_m=plan.goal_error_min_m,
        seed=plan.seed,
        stop_at_success=plan.stop_at_success,
        record=plan.record,
    )
    outcome = session.run(goal, title)
    if outcome.result.stop_reason != DONE or len(outcome.episodes) != plan.draws:
        raise CommandError(
            f"the evaluation of {plan.name} ended after {len(outcome.episodes)} of {plan.draws} draws: "
            f"{outcome.result.stop_reason}"
        )
    return outcome.episodes


def evaluation_table(evaluations: Sequence[Evaluation], title: str) -> Table:
    """The evaluations as a table for the terminal."""
    table = Table(title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column)
    for evaluation in evaluations:
        table.add_row(*table_row(evaluation))
    return table
