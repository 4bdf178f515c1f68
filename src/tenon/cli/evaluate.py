"""`tenon evaluate`: success of a controller on fixed draws, with its interval."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import OUT, note
from tenon.cli.errors import SUCCESS, UsageError
from tenon.cli.session import Controller

if TYPE_CHECKING:
    from tenon.cli.settings import SessionSettings

MM = 1e-3
RUNS = Path("runs")
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a controller on fixed draws: the same episodes for every controller and every checkpoint.

    Draw number i has the seed 1000000000 + i (tenon.cli.evaluation.EVALUATION_SEED), which no training session uses.
    """

    controller: Controller = "residual"
    """What acts."""
    session: str | None = None
    """Name of a file in config/sessions, or a path. Default: the run's session, else sim."""
    robot: str | None = None
    """Robot, where not the session's."""
    task: str | None = None
    """Task, where not the session's."""
    checkpoint: Path | None = None
    """Directory of a checkpoint whose policy acts."""
    run_directory: Path | None = None
    """A run whose newest checkpoint acts. Nothing in it is changed."""
    draws: int = 100
    """Number of episodes."""
    goal_error_mm: float = 1.0
    """The goal is off by up to this on x and y; 0: it is known exactly."""
    deterministic: Flag = False
    """The policy acts by its mean. SAC does better sampled when the goal is off."""
    record: Flag = False
    """Keep the episodes as MCAP files."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs

        self._check()
        settings = self._settings()
        path = runs.new_run_directory(RUNS, f"evaluate-{settings.config.name}", settings.config.task, time.time())
        with runs.locked(path):
            session_file = runs.create(path, settings.config)
            self._bring_checkpoint(path)
            return self._run(settings, session_file, path)

    def _check(self) -> None:
        if self.draws < 1:
            raise UsageError(f"--draws {self.draws}: 1 or more are needed")
        if self.goal_error_mm < 0.0:
            raise UsageError(f"--goal-error-mm {self.goal_error_mm}: it must not be negative")
        if self.checkpoint is not None and self.run_directory is not None:
            raise UsageError("--checkpoint and --run-directory both name a policy: give one of them")
        if self.controller == "residual" and self.checkpoint is None and self.run_directory is None:
            raise UsageError(
                "the residual controller needs a policy: name a --checkpoint or a --run-directory, or evaluate "
                "--controller p_controller"
            )

    def _settings(self) -> SessionSettings:
        from tenon.cli.run_directory import SESSION_FILE
        from tenon.cli.settings import resolve_settings, typed

        session: str | Path = self.session or "sim"
        if self.session is None and self.run_directory is not None:
            session = self.run_directory / SESSION_FILE
        overrides = typed(robot=self.robot, task=self.task)
        return resolve_settings(session, {**overrides, "controller": self.controller, "train": False})

    def _bring_checkpoint(self, path: Path) -> None:
        from tenon.cli.checkpoints import checkpoint_of, lend_checkpoint

        source = self.checkpoint
        if source is None and self.run_directory is not None and self.controller == "residual":
            source = checkpoint_of(self.run_directory)
        if source is not None:
            note(f"policy: {source}")
            lend_checkpoint(source, path)

    def _run(self, settings: SessionSettings, session_file: Path, path: Path) -> int:
        from tenon.cli.evaluation import EvaluationPlan, evaluation_table, run_evaluation
        from tenon.cli.running import running_session
        from tenon.session.report import EvaluationReport, write_json

        started_s = time.monotonic()
        name = f"residual_{settings.config.algorithm}" if self.controller == "residual" else self.controller
        plan = EvaluationPlan(
            controller=self.controller,
            name=name,
            goal_error_m=self.goal_error_mm * MM,
            draws=self.draws,
            deterministic=self.deterministic,
            record=self.record,
        )
        with running_session(settings, session_file, path, unattended=True, rates=False) as session:
            evaluated = run_evaluation(session, plan, f"evaluate {name}", force_limit_n=settings.force_limit_n)
        config, evaluation = settings.config, evaluated.evaluation
        OUT.print(
            evaluation_table([evaluation], f"{config.task} on {config.robot}, {self.goal_error_mm:g} mm goal error")
        )
        if self.json is not None:
            report = EvaluationReport(config.task, config.robot, (evaluation,), time.monotonic() - started_s)
            write_json(self.json, report)
        return SUCCESS
