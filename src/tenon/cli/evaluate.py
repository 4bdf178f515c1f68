"""`tenon evaluate`: success of a controller on fixed draws, with its interval."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import OUT, note, write_result
from tenon.cli.errors import SUCCESS, CommandError, UsageError
from tenon.cli.session import Controller, ControllerOption, RewardOption
from tenon.configuration.session import LEARNED

if TYPE_CHECKING:
    from tenon.cli.evaluation import EvaluationPlan
    from tenon.session.setup import SessionSetup
    from tenon.training.snapshot import PolicySnapshot

MM = 1e-3
RUNS = Path("runs")
SESSION = "demo"
"""Its simulation runs as fast as the graph keeps up."""
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a controller on fixed draws: the same episodes for every controller and every checkpoint.

    Draw number i has the seed 1000000000 + i (tenon.session.draws), which no training session uses.
    With --env, a checkpoint acts in that environment, in this process and without a graph.
    """

    controller: ControllerOption = None
    """What acts: residual beside a task's hand-written controller; policy alone, such as one learnt from a person.
    Default: the one of these two that acts in the run which the policy is of, else in the session, else residual."""
    session: str | None = None
    """Name of a file in config/sessions, or a path. Default: the run's session, else demo."""
    robot: str | None = None
    """Robot, where not the session's."""
    task: str | None = None
    """Task, where not the session's."""
    connector: str | None = None
    """Connector, where not the task's: a file in config/connectors, or the path of your own."""
    reward: RewardOption = None
    """What counts as a success, where not as the session says."""
    reward_checkpoint: Path | None = None
    """Folder of the classifier, for --reward daib."""
    localiser: Path | None = None
    """Folder of what tells the socket's place from a picture, for the scripted searches."""
    env: str | None = None
    """An environment by name: the checkpoint acts in it, without a graph. What a session or a goal error is, it knows
    itself."""
    checkpoint: Path | None = None
    """A checkpoint whose policy acts; a training's folder means its newest one."""
    run_directory: Path | None = None
    """A run whose newest checkpoint acts; of a practice, what it handed over. Nothing in it is changed."""
    draws: int = 100
    """Number of episodes."""
    goal_error_mm: float | None = None
    """The goal is off by up to this on x and y; 0: it is known exactly. Default: as the session or the task says."""
    deterministic: Flag = False
    """The policy acts by its mean. SAC does better sampled when the goal is off."""
    record: Flag = False
    """Keep the episodes as MCAP files."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs

        self._check()
        if self.env is not None:
            return self._run_in_environment(self.env)
        policy = self._policy()
        setup = self._setup()
        if policy is not None:
            _check_policy(policy, setup)
        with runs.locked(setup.config.run_directory):
            return self._run(setup, runs.create(setup.config.run_directory, setup.config), policy)

    def _check(self) -> None:
        if self.draws < 1:
            raise UsageError(f"--draws {self.draws}: 1 or more are needed")
        if self.goal_error_mm is not None and self.goal_error_mm < 0.0:
            raise UsageError(f"--goal-error-mm {self.goal_error_mm}: it must not be negative")
        if self.checkpoint is not None and self.run_directory is not None:
            raise UsageError("--checkpoint and --run-directory both name a policy: give one of them")
        if self.env is not None:
            self._check_environment_options()
        if self._needs_policy and self.checkpoint is None and self.run_directory is None:
            raise UsageError(
                f"{self.controller or 'evaluate'} needs a policy: name a --checkpoint or a --run-directory, or a "
                "--controller that needs none, p_controller for example"
            )
        if not self._needs_policy and self.checkpoint is not None:
            raise UsageError(
                f"the controller {self.controller} acts without a policy: leave out --checkpoint, or name the "
                "controller residual or policy"
            )

    @property
    def _needs_policy(self) -> bool:
        return self.controller is None or self.controller in LEARNED

    @cached_property
    def _acts(self) -> Controller:
        """The controller; asked for once the options are known to go together."""
        from tenon.cli.checkpoints import practised_as
        from tenon.session.setup import load_setup

        if self.controller is not None:
            return self.controller
        place = self.checkpoint or self.run_directory
        said = None if place is None else practised_as(place)
        if said not in LEARNED and self.session is not None:
            said = load_setup(self.session).config.controller
        if said != "policy":
            return "residual"
        note("controller: policy, as in the run or the session; --controller residual for another")
        return "policy"

    def _check_environment_options(self) -> None:
        given = {
            "--session": self.session is not None,
            "--robot": self.robot is not None,
            "--task": self.task is not None,
            "--connector": self.connector is not None,
            "--reward": self.reward is not None,
            "--reward-checkpoint": self.reward_checkpoint is not None,
            "--localiser": self.localiser is not None,
            "--goal-error-mm": self.goal_error_mm is not None,
            "--run-directory": self.run_directory is not None,
            "--record": self.record,
            "--controller": self.controller is not None,
        }
        wrong = [option for option, is_given in given.items() if is_given]
        if wrong:
            raise UsageError(f"--env evaluates without a graph: leave out {', '.join(wrong)}")
        if self.checkpoint is None:
            raise UsageError("--env needs a policy: name a --checkpoint")

    def _run_in_environment(self, env: str) -> int:
        from tenon.cli.environment_evaluation import evaluate_in_environment

        assert self.checkpoint is not None  # _check has seen to it
        result = evaluate_in_environment(env, self.checkpoint, self.draws, deterministic=self.deterministic)
        OUT.print(result.table())
        write_result(self.json, result.to_json())
        return SUCCESS

    def _policy(self) -> PolicySnapshot | None:
        from tenon.cli.checkpoints import newest_checkpoint, newest_of, policy_of

        if not self._needs_policy:
            return None
        checkpoint = None if self.checkpoint is None else newest_of(self.checkpoint)
        if checkpoint is None and self.run_directory is not None:
            checkpoint = newest_checkpoint(self.run_directory)
        assert checkpoint is not None  # _check has seen to it
        note(f"policy: {checkpoint}")
        return policy_of(checkpoint)

    def _setup(self) -> SessionSetup:
        from tenon.cli.run_directory import SESSION_FILE, new_run_directory
        from tenon.cli.settings import absolute, absolute_path, typed
        from tenon.environments.session_searches import create_searches
        from tenon.session.rewards import create_reward
        from tenon.session.setup import load_setup
        from tenon.session.taught import check_goal_is_taught

        session: str | Path = self.session or SESSION
        if self.session is None and self.run_directory is not None:
            session = self.run_directory / SESSION_FILE
        path = new_run_directory(RUNS, "evaluate", self._acts, time.time())
        changes = {"controller": self._acts, "train": False, "run_directory": path}
        wanted = typed(
            robot=self.robot,
            task=absolute(self.task),
            connector=absolute(self.connector),
            reward=self.reward,
            reward_checkpoint=absolute_path(self.reward_checkpoint),
            localiser=absolute_path(self.localiser),
            goal_error_m=None if self.goal_error_mm is None else self.goal_error_mm * MM,
        )
        setup = load_setup(session, {**wanted, **changes})
        check_goal_is_taught(setup)
        create_reward(setup)  # what these lack is said here, not by a node while the others come up
        create_searches(setup)
        return setup

    def _plan(self, setup: SessionSetup, policy: PolicySnapshot | None) -> EvaluationPlan:
        from tenon.cli.evaluation import EvaluationPlan

        return EvaluationPlan(
            controller=self._acts,
            name=self._acts if policy is None else f"{self._acts}_{policy.method}",
            goal_error_m=setup.goal_error_m,
            goal_error_min_m=setup.goal_error_min_m,
            draws=self.draws,
            deterministic=self.deterministic,
            record=self.record,
        )

    def _run(self, setup: SessionSetup, session_file: Path, policy: PolicySnapshot | None) -> int:
        from tenon.cli.evaluation import evaluation_table, run_evaluation
        from tenon.cli.running import running_session
        from tenon.session.report import EvaluationReport

        started_s, config, plan = time.monotonic(), setup.config, self._plan(setup, policy)
        limit_n = setup.job.force_limit_n
        with running_session(setup, session_file, watched=False, trainer=False) as session:
            if policy is not None:
                session.publish_policy(policy)
            evaluated = run_evaluation(session, plan, f"evaluate {plan.name}", force_limit_n=limit_n)
        title = f"{config.task} on {config.robot}, goal error up to {setup.goal_error_m / MM:g} mm"
        OUT.print(evaluation_table([evaluated.evaluation], title))
        if not setup.job.has_detector:
            note(f"success is the word of reward {config.reward!r} alone: nothing at this stand tells the truth")
        wall_s = time.monotonic() - started_s
        write_result(self.json, EvaluationReport(config.task, config.robot, (evaluated.evaluation,), wall_s).to_json())
        return SUCCESS


def _check_policy(policy: PolicySnapshot, setup: SessionSetup) -> None:
    """Raises CommandError for a policy of another task: on the robot it would be refused, and nothing would act."""
    from tenon.training.snapshot import SnapshotError, load_actor

    try:
        load_actor(policy, spec=setup.environment_spec)
    except SnapshotError as error:
        raise CommandError(str(error)) from error
