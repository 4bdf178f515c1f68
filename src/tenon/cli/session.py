"""`tenon session`: run a robot session, or steer the one that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from tenon.cli.console import OUT, note, write_json
from tenon.cli.errors import FAILURE, SUCCESS, CommandError

if TYPE_CHECKING:
    from tenon.cli.running import RunOutcome
    from tenon.session.machine import SessionPlan
    from tenon.session.setup import SessionSetup

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
        from tenon.session.setup import load_setup

        wanted = self._wanted()
        setup = load_setup(self.session, wanted)
        path = setup.config.run_directory
        if self.resume:
            stored = runs.stored_session(path, {"name": setup.config.name, **wanted})
            changed = {"episodes": stored["episodes"], "run_directory": path}
            setup = load_setup(path / runs.SESSION_FILE, changed)
        else:
            runs.require_unused(path)
        with runs.locked(path):
            write = runs.write_session if self.resume else runs.create
            return self._run(setup, write(path, setup.config))

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

    def _run(self, setup: SessionSetup, session_file: Path) -> int:
        from tenon.cli.running import running_session

        started_s = time.monotonic()
        config, path, plan = setup.config, setup.config.run_directory, plan_of(setup)
        done = _episodes_done(setup, plan) if self.resume else 0
        if done >= config.episodes:
            raise CommandError(f"all {done} episodes of {path} are done: ask for more with --episodes")
        note(f"run directory: {path}" + (f" (goes on after {done} episodes)" if done else ""))
        with running_session(setup, session_file, watched=True) as session, _hint_at_resume(path):
            outcome = session.run(plan, f"{config.name}: {config.task}", done_before=done if self.resume else None)
        return self._report(setup, outcome, time.monotonic() - started_s)

    def _report(self, setup: SessionSetup, outcome: RunOutcome, wall_s: float) -> int:
        from tenon.cli.evaluation import condition_of, evaluation_table
        from tenon.session.report import EvaluationReport, evaluate

        config, reason = setup.config, outcome.result.stop_reason
        limit_n = setup.task.force_limit_n
        condition = condition_of(config.goal_error_m)
        counted = evaluate(config.controller, condition, outcome.episodes, force_limit_n=limit_n)
        OUT.print(evaluation_table([counted], f"{config.run_directory}: {reason}"))
        if self.json is not None:
            report = EvaluationReport(config.task, config.robot, (counted,), wall_s).to_json()
            write_json(self.json, {**report, "stop_reason": reason, "run_directory": str(config.run_directory)})
        return SUCCESS if reason == "done" else FAILURE


def plan_of(setup: SessionSetup) -> SessionPlan:
    """The run that a session's configuration asks for."""
    from tenon.session.machine import SessionPlan

    config = setup.config
    train = config.train and config.controller == "residual"
    return SessionPlan(
        controller=config.controller,
        episodes=config.episodes,
        train=train,
        deterministic=config.deterministic,
        goal_error_m=config.goal_error_m,
        seed=config.seed,
        stop_at_success=not train,
        record=True,
    )


def _episodes_done(setup: SessionSetup, plan: SessionPlan) -> int:
    """As the session manager counts them: for the display, and to say at once that nothing is left to do."""
    from tenon.data.store import EpisodeStore
    from tenon.session.progress import episodes_done

    return episodes_done(EpisodeStore(setup.episodes_directory), plan)


@contextmanager
def _hint_at_resume(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, CommandError):
        note(f"what was finished is kept. To go on: tenon session run --resume --run-directory {path}")
        raise


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
