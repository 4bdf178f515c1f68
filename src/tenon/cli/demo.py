"""`tenon demo`: what the project is for, in one run: before, training, after, on the same fixed draws."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenon.cli.console import ERR, OUT, note, write_json
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.cli.evaluation import Evaluated
    from tenon.cli.running import RunningSession
    from tenon.session.report import DemoReport
    from tenon.session.setup import SessionSetup
    from tenon.session.statistics import EpisodeSummary

SESSION = "demo"
DRAWS = 100
P_CONTROLLER, P_DITHER, RESIDUAL = "p_controller", "p_dither", "residual"
LEARNER = "residual_sac"
SEED_STRIDE = 100_000
"""Runs of the demo with different seeds share no training episode: run n begins at n times this."""
SEED_LIMIT = 10_000
"""So that training seeds stay below those of evaluation."""
STAGES = 7
REPORT_FILE, CURVE_FILE = "report.json", "learning_curve.png"
BEFORE_VIDEO, AFTER_VIDEO = "before_failure.mp4", "after_success.mp4"

NOISY_BAR = 0.85
PERFECT_BAR = 0.95
GAIN_BAR = 0.5
EPISODES_BAR = 300
QUIET_MINUTES = 13
"""docs/results/demo.md. How fast a machine is says nothing of what was learnt."""


@dataclass(frozen=True)
class Demo:
    """Evaluate the P-controller with and without dither, train the residual online, evaluate it on the same draws.

    Writes report.json, learning_curve.png, two videos and all episodes. Exits 1 when a bar is missed.
    """

    seed: int = 0
    """Of the training session. The evaluation draws are the same for all seeds."""
    out: Path = Path("runs/demo")
    """Run directory. An earlier one is renamed, never deleted."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs
        from tenon.session.setup import load_setup

        if not 0 <= self.seed < SEED_LIMIT:
            raise UsageError(f"--seed {self.seed}: it must be from 0 to {SEED_LIMIT - 1}")
        started_s = time.monotonic()
        setup = load_setup(SESSION, {"seed": self.seed * SEED_STRIDE, "run_directory": self.out})
        moved = move_aside(self.out, time.time())
        if moved is not None:
            note(f"the earlier {self.out} is now {moved}")
        with runs.locked(self.out):
            session_file = runs.create(self.out, setup.config)
            return self._run(setup, session_file, started_s)

    def _run(self, setup: SessionSetup, session_file: Path, started_s: float) -> int:
        from tenon.cli.running import running_session

        with running_session(setup, session_file, watched=False) as session:
            results = run_stages(session, setup)
        report = results.report(setup, wall_s=time.monotonic() - started_s, seed=self.seed)
        write_json(self.out / REPORT_FILE, report.to_json())
        results.write_pictures(self.out, setup)
        results.print_table(f"{setup.config.task}, {DRAWS} fixed draws: {self.out}")
        note(f"it took {report.wall_s / 60.0:.1f} minutes; 2 quiet cores need {QUIET_MINUTES}")
        missed = missed_bars(report)
        for line in missed:
            ERR.print(f"[bold red]missed:[/] {line}")
        return FAILURE if missed else SUCCESS


@dataclass(frozen=True)
class DemoResults:
    """Everything that the demo's run came to. before, after: in the order in which they ran."""

    before: tuple[Evaluated, ...]
    training: tuple[EpisodeSummary, ...]
    after: tuple[Evaluated, ...]

    def report(self, setup: SessionSetup, *, wall_s: float, seed: int) -> DemoReport:
        from tenon.session.report import DemoReport
        from tenon.session.statistics import SessionStatistics

        statistics = SessionStatistics(setup.task.force_limit_n)
        for episode in self.training:
            statistics.on_episode(episode)
        before = [item.evaluation for item in self.before]
        after = [item.evaluation for item in self.after]
        return DemoReport.of(before, after, statistics, wall_s=wall_s, seed=seed)

    def print_table(self, title: str) -> None:
        from tenon.cli.evaluation import evaluation_table

        OUT.print(evaluation_table([item.evaluation for item in (*self.before, *self.after)], title))

    def write_pictures(self, out: Path, setup: SessionSetup) -> None:
        """The learning curve and the videos. A picture that cannot be made does not lose the run: it is said."""
        from tenon.cli.plot import plot_learning_curve

        noisy = {item.evaluation.controller: item.evaluation.rate for item in self._noisy()}
        plot_learning_curve(out / CURVE_FILE, self.training, noisy, f"{setup.config.task}: success with goal error")
        pair = choose_pair(self._noisy()[0].episodes, self._noisy()[-1].episodes)
        videos = {BEFORE_VIDEO: pair.failure, AFTER_VIDEO: pair.success}
        for name, episode in videos.items():
            if episode is None:
                note(f"no {name}: there is no such episode")
        write_videos(out, setup, {name: episode for name, episode in videos.items() if episode is not None})

    def _noisy(self) -> list[Evaluated]:
        from tenon.cli.evaluation import NOISY

        return [item for item in (*self.before, *self.after) if item.evaluation.condition == NOISY]


@dataclass(frozen=True, slots=True)
class Pair:
    """A failure before and a success after, of the same draw where there is one."""

    failure: EpisodeSummary | None
    success: EpisodeSummary | None


def choose_pair(before: Sequence[EpisodeSummary], after: Sequence[EpisodeSummary]) -> Pair:
    """The first draw that failed before and succeeded after; else any failure and any success."""
    succeeded = {episode.seed: episode for episode in after if episode.success}
    failures = [episode for episode in before if not episode.success]
    for failure in failures:
        if failure.seed in succeeded:
            return Pair(failure, succeeded[failure.seed])
    return Pair(next(iter(failures), None), next(iter(succeeded.values()), None))


def move_aside(path: Path, now_s: float) -> Path | None:
    """Renames an earlier run, with the time in its new name, and returns that; None when there is none."""
    from tenon.cli.run_directory import locked

    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    moved = path.with_name(f"{path.name}_{time.strftime('%Y%m%d-%H%M%S', time.localtime(now_s))}")
    if moved.exists():
        raise CommandError(f"{path} is in the way and {moved} exists already: rename one of them")
    with locked(path):  # not while it runs
        path.rename(moved)
    return moved


def run_stages(session: RunningSession, setup: SessionSetup) -> DemoResults:
    """All evaluations and the training, on one graph. Raises CommandError when one does not run to its end."""
    from tenon.cli.evaluation import EvaluationPlan, run_evaluation

    goal_error_m, least_m, limit_n = setup.goal_error_m, setup.goal_error_min_m, setup.task.force_limit_n
    stage = 0

    def evaluate(controller: str, name: str, error_m: float) -> Evaluated:
        nonlocal stage
        stage += 1
        ring_m = least_m if error_m else None
        plan = EvaluationPlan(controller, name, error_m, DRAWS, record=True, goal_error_min_m=ring_m)
        title = f"demo {stage}/{STAGES}: evaluate {name}, {plan.condition} goal"
        return run_evaluation(session, plan, title, force_limit_n=limit_n)

    before = [evaluate(c, c, error_m) for c in (P_CONTROLLER, P_DITHER) for error_m in (goal_error_m, 0.0)]
    stage += 1
    training = train(session, setup, f"demo {stage}/{STAGES}: practise")
    after = [evaluate(RESIDUAL, LEARNER, error_m) for error_m in (goal_error_m, 0.0)]
    return DemoResults(tuple(before), training, tuple(after))


def train(session: RunningSession, setup: SessionSetup, title: str) -> tuple[EpisodeSummary, ...]:
    """The online session; ends when the trainer has used all of it, so that what is evaluated no longer changes."""
    from tenon.session.machine import DONE
    from tenon.session.plans import configured_plan

    outcome = session.run(configured_plan(setup), title)
    reason = outcome.result.stop_reason
    if reason != DONE:
        raise CommandError(f"the training session ended after {len(outcome.episodes)} episodes: {reason}")
    session.wait_for_trainer()
    return outcome.episodes


def write_videos(out: Path, setup: SessionSetup, videos: Mapping[str, EpisodeSummary]) -> None:
    """Draws recorded episodes from the overview camera."""
    from tenon.cli.footage import FootageError, Stand, find_episode, write_episode_video
    from tenon.data.store import EpisodeStore
    from tenon.data.video import VideoError
    from tenon.simulation.rendering import RenderingError

    store = EpisodeStore(setup.episodes_directory)
    stand = Stand(setup.arm, setup.connector, setup.task)
    try:
        for name, summary in videos.items():
            try:
                write_episode_video(out / name, stand, store, find_episode(store, summary.episode))
            except (FootageError, RenderingError, VideoError) as error:
                note(f"no {name}: {error}")
    finally:
        stand.close()


def missed_bars(report: DemoReport) -> list[str]:
    """What the report falls short of, a line each."""
    from tenon.cli.evaluation import NOISY, PERFECT

    before, after = report.before, report.after[LEARNER]
    missed = []
    if after[NOISY] < NOISY_BAR:
        missed.append(f"success with goal error is {after['noisy']:.2f}, the bar is {NOISY_BAR}")
    if after[PERFECT] < PERFECT_BAR:
        missed.append(f"success without goal error is {after['perfect']:.2f}, the bar is {PERFECT_BAR}")
    gain = after[NOISY] - before[P_CONTROLLER][NOISY]
    if gain < GAIN_BAR:
        missed.append(f"the gain over the P-controller is {gain:+.2f}, the bar is {GAIN_BAR:+.2f}")
    if after[NOISY] <= before[P_DITHER][NOISY]:
        missed.append(
            f"success with goal error is not above the P-controller with dither ({before[P_DITHER]['noisy']:.2f})"
        )
    if report.episodes > EPISODES_BAR:
        missed.append(f"training took {report.episodes} episodes, the bar is {EPISODES_BAR}")
    if report.force_violations:
        missed.append(
            f"{report.force_violations} episodes went above the force limit (peak {report.peak_force_n:.1f} N)"
        )
    return missed
