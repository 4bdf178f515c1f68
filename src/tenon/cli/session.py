"""`tenon session`: run a robot session, or steer the one that runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from tenon.cli.console import OUT, note, write_json
from tenon.cli.errors import FAILURE, SUCCESS, CommandError

if TYPE_CHECKING:
    from tenon.cli.running import RunOutcome
    from tenon.cli.settings import SessionSettings

SIMULATED = "sim"
"""Of --robot: the session's robot, in simulation."""
STEERING_NODE = "_tenon_steer"
Controller = Literal["residual", "p_controller", "p_dither"]
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Run:
    """Run a session: bring up the graph, run episodes, train while they run, keep everything in a run directory."""

    session: str = "sim"
    """Name of a file in config/sessions, or a path."""
    robot: str | None = None
    """Robot, where not the session's: a file in config/robots, or sim, the session's own simulated arm."""
    task: str | None = None
    """Task, where not the session's: a file in config/tasks."""
    episodes: int | None = None
    """Number of episodes, those before a resume included."""
    algorithm: str | None = None
    """Learner of the residual: a file in config/algorithms (sac, td3)."""
    controller: Controller | None = None
    """What acts: the residual policy on the P-controller, the P-controller alone, or with dither."""
    seed: int | None = None
    """Seed of the first episode and of the learner."""
    run_directory: Path | None = None
    """Where episodes, replay, checkpoints and logs go, where not where the session says."""
    resume: Flag = False
    """Go on with the run in the run directory from its last durable state."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs
        from tenon.cli.settings import resolve_settings

        wanted = self._wanted()
        settings = resolve_settings(self.session, wanted)
        path = settings.config.run_directory
        if self.resume:
            stored = runs.stored_session(path, {"name": settings.config.name, **wanted})
            changed = {"episodes": stored["episodes"], "run_directory": path}
            settings = resolve_settings(path / runs.SESSION_FILE, changed)
        else:
            runs.require_unused(path)
        with runs.locked(path):
            write = runs.write_session if self.resume else runs.create
            return self._run(settings, write(path, settings.config), path)

    def _wanted(self) -> dict[str, Any]:
        from tenon.cli.settings import typed

        return typed(
            robot=None if self.robot == SIMULATED else self.robot,
            task=self.task,
            episodes=self.episodes,
            algorithm=self.algorithm,
            controller=self.controller,
            seed=self.seed,
            run_directory=self.run_directory,
        )

    def _run(self, settings: SessionSettings, session_file: Path, path: Path) -> int:
        from tenon.cli.running import running_session

        started_s = time.monotonic()
        done = finished_episodes(path) if self.resume else 0
        config = settings.config
        if done >= config.episodes:
            raise CommandError(f"all {done} episodes of {path} are done: ask for more with --episodes")
        note(f"run directory: {path}" + (f" (goes on after {done} episodes)" if done else ""))
        try:
            with running_session(settings, session_file, path, unattended=False, rates=True) as session:
                outcome = session.run(self._goal(settings, done), f"{config.name}: {config.task}")
        except KeyboardInterrupt:
            note(f"stopped. To go on: tenon session run --resume --run-directory {path}")
            raise
        return self._report(settings, outcome, path, time.monotonic() - started_s)

    def _goal(self, settings: SessionSettings, done: int) -> Any:
        from tenon_session.client import RunGoal

        config = settings.config
        return RunGoal(
            controller=config.controller,
            episodes=config.episodes - done,
            train=config.train and config.controller == "residual",
            deterministic=config.deterministic,
            goal_error_m=config.goal_error_m,
            seed=config.seed + done,
            stop_at_success=not config.train,
            record=True,
        )

    def _report(self, settings: SessionSettings, outcome: RunOutcome, path: Path, wall_s: float) -> int:
        from tenon.cli.evaluation import evaluation_table
        from tenon.session.report import EvaluationReport, evaluate

        config, result = settings.config, outcome.result
        condition = "noisy" if config.goal_error_m > 0.0 else "perfect"
        counted = evaluate(config.controller, condition, outcome.episodes, force_limit_n=settings.force_limit_n)
        OUT.print(evaluation_table([counted], f"{path}: {result.stop_reason}"))
        if self.json is not None:
            report = EvaluationReport(config.task, config.robot, (counted,), wall_s)
            write_json(self.json, {**report.to_json(), "stop_reason": result.stop_reason, "run_directory": str(path)})
        return SUCCESS if result.stop_reason == "done" else FAILURE


def finished_episodes(path: Path) -> int:
    """Number of episodes of the run that were finished, so that a resumed one neither loses nor repeats one."""
    from tenon.cli.settings import episodes_directory
    from tenon.data.store import EpisodeStore

    episodes = EpisodeStore(episodes_directory(path)).episodes()
    return sum(episode.outcome.result in ("success", "timeout", "fault") for episode in episodes)


def _steer(call: Callable[[Any], str]) -> int:
    from tenon.cli.running import steering

    with steering(STEERING_NODE) as client:
        message = call(client)
    note(message or "done")
    return SUCCESS


@dataclass(frozen=True)
class Pause:
    """Hold the arm; the episode that runs ends and is done again after `tenon session resume`."""

    def run(self) -> int:
        return _steer(lambda client: str(client.pause()))


@dataclass(frozen=True)
class Resume:
    """Go on after a pause, or after a fault was cleared."""

    def run(self) -> int:
        return _steer(lambda client: str(client.resume()))


@dataclass(frozen=True)
class Stop:
    """End the run in order."""

    def run(self) -> int:
        return _steer(lambda client: str(client.stop()))


@dataclass(frozen=True)
class ClearFault:
    """Clear a latched fault, after its cause is gone. The session then waits for `tenon session resume`."""

    def run(self) -> int:
        return _steer(lambda client: str(client.clear_fault()))
