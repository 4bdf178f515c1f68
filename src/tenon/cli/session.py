"""`tenon session`: run a robot session, or steer the one that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from tenon.cli.console import OUT, note, write_result
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.cli.running import RunOutcome
    from tenon.session.machine import SessionPlan
    from tenon.session.setup import SessionSetup
    from tenon.session.statistics import EpisodeSummary

SESSION, PRACTICE_SESSION = "sim", "job"
SESSION_OF_KIND = {"valve": "valve"}
"""Kinds of task that need a session of their own."""
STEERING_NODE = "_tenon_steer"
Controller = Literal["residual", "p_controller", "p_dither", "policy", "localise", "down", "random", "spiral", "gait"]
Reward = Literal["electrical", "completion", "dense", "goal_image", "daib"]
Seen = Literal["state", "image"]
# The constructor and the hint: left to itself tyro offers 'None' as a choice, to be typed.
ControllerOption = Annotated[Controller | None, tyro.conf.arg(constructor=Controller, help_behavior_hint="")]
RewardOption = Annotated[Reward | None, tyro.conf.arg(constructor=Reward, help_behavior_hint="")]
ObservationOption = Annotated[Seen | None, tyro.conf.arg(constructor=Seen, help_behavior_hint="")]
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Run:
    """Run a session: bring up the graph, run episodes, train while they run, keep everything in a run directory."""

    session: str | None = None
    """Name of a file in config/sessions, or a path. Default: sim; valve for a claw's task; job with --finetune."""
    robot: str | None = None
    """Robot, where not the session's: a file in config/robots (sim, ur5, ur5-emulated, ...)."""
    task: str | None = None
    """Task, where not the session's: a file in config/tasks."""
    connector: str | None = None
    """Connector, where not the task's: a file in config/connectors, or the path of your own."""
    episodes: int | None = None
    """Number of episodes, those before a resume included. With --finetune: trials of practice at most."""
    algorithm: str | None = None
    """Learner: a file in config/algorithms. With --finetune, the checkpoint's own."""
    controller: ControllerOption = None
    """What acts: the residual policy on the P-controller, that alone or with dither; in tasks without one, the policy
    alone or a scripted search."""
    finetune: Path | None = None
    """Practise with the policy of an offline training (its folder, or a checkpoint in it): evaluate, practise, keep the
    best policy, evaluate again."""
    reward: RewardOption = None
    """What pays, where not as the session says."""
    reward_checkpoint: Path | None = None
    """Folder of the classifier, for --reward daib."""
    localiser: Path | None = None
    """Folder of what tells the socket's place from a picture, for the scripted searches."""
    target: float | None = None
    """With --finetune: share of successes with which practice ends."""
    seed: int | None = None
    """Seed of the first episode and of the learner."""
    by: str | None = None
    """Who runs it, for the recordings, where not as the session says."""
    teleop: str | None = None
    """Device by which you may take over: a file in config/teleop (spacemouse, gamepad, keyboard, console)."""
    run_directory: Path | None = None
    """Where episodes, replay, checkpoints and logs go. Default: where the session says, and where a session is there
    already, beside it with the next number."""
    resume: Flag = False
    """Go on with the run in the run directory (default: the newest of the session's) from its last durable state."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        from tenon.cli import run_directory as runs
        from tenon.environments.session_searches import create_searches
        from tenon.session.rewards import create_reward
        from tenon.session.taught import check_goal_is_taught

        self._check()
        setup = self._setup()
        path = setup.config.run_directory
        check_goal_is_taught(setup)
        create_reward(setup)  # what these lack is said here, not by a node while the others come up
        create_searches(setup)
        warn(setup)
        if not self.resume:
            _check_training(setup)
            runs.require_unused(path)
        with runs.locked(path):
            write = runs.write_session if self.resume else runs.create
            session_file = write(path, setup.config)
            if not self.resume:
                runs.write_algorithm(path, setup.algorithm)
            if setup.config.practice is None:
                return self._run(setup, session_file)
            return self._practise(setup, session_file)

    def _check(self) -> None:
        if self.finetune is not None and self.resume:
            raise UsageError("--resume goes on with what the run was started from: leave --finetune out")
        if self.target is not None and self.finetune is None:
            raise UsageError("--target is of practice: name a policy to start from with --finetune")

    def _setup(self) -> SessionSetup:
        from tenon.cli import run_directory as runs
        from tenon.cli.finetune import finetuned
        from tenon.configuration.resolve import resolve_session
        from tenon.session.setup import load_setup

        wanted = self._wanted()
        if self.resume:
            return self._stored_setup(wanted)
        session = self._session()
        if self.run_directory is None:
            wanted["run_directory"] = runs.first_free(resolve_session(session, wanted).run_directory)
        if self.finetune is not None:
            return finetuned(session, wanted, self.finetune, target=self.target)
        return load_setup(session, wanted)

    def _session(self) -> str:
        """The session's file: as typed, else the one that fits what is to be done."""
        from tenon.simulation.task_kinds import kind_of_task

        if self.session is not None:
            return self.session
        if self.finetune is not None:
            return PRACTICE_SESSION
        return SESSION_OF_KIND.get(kind_of_task(self.task) if self.task is not None else "", SESSION)

    def _stored_setup(self, wanted: dict[str, Any]) -> SessionSetup:
        """What the run in the run directory was started with."""
        from tenon.cli import run_directory as runs
        from tenon.session.setup import load_setup

        path = self.run_directory
        if path is None or self.session is not None:
            named = load_setup(self._session(), wanted).config
            wanted, path = {"name": named.name, **wanted}, self.run_directory or runs.newest(named.run_directory)
        stored = runs.stored_session(path, wanted)
        changes = {**{key: stored[key] for key in runs.MAY_CHANGE if key in stored}, "run_directory": path}
        algorithm = runs.stored_algorithm(path, stored["algorithm"])
        if algorithm is not None:
            changes["algorithm"] = str(algorithm)
        return load_setup(path / runs.SESSION_FILE, changes)

    def _wanted(self) -> dict[str, Any]:
        from tenon.cli.settings import absolute, absolute_path, typed

        return typed(
            robot=self.robot,
            task=absolute(self.task),
            connector=absolute(self.connector),
            episodes=self.episodes,
            algorithm=absolute(self.algorithm),
            controller=self.controller,
            reward=self.reward,
            reward_checkpoint=absolute_path(self.reward_checkpoint),
            localiser=absolute_path(self.localiser),
            seed=self.seed,
            operator=self.by,
            teleop=absolute(self.teleop),
            run_directory=self.run_directory,
        )

    def _run(self, setup: SessionSetup, session_file: Path) -> int:
        from tenon.cli.running import running_session
        from tenon.configuration.session import LEARNED
        from tenon.session.plans import configured_plan

        started_s = time.monotonic()
        config, path, plan = setup.config, setup.config.run_directory, configured_plan(setup)
        done = _episodes_done(setup, plan) if self.resume else 0
        if done >= config.episodes:
            raise CommandError(f"all {done} episodes of {path} are done: ask for more with --episodes")
        note(f"run directory: {path}" + (f" (goes on after {done} episodes)" if done else ""))
        trainer = config.controller in LEARNED
        with _hint_at_resume(setup), running_session(setup, session_file, watched=True, trainer=trainer) as session:
            outcome = session.run(plan, f"{config.name}: {config.task}", done_before=done if self.resume else None)
        status = self._report(setup, outcome, time.monotonic() - started_s)
        lost = _not_kept(setup, plan, outcome)
        session.recorder.note_lost(lost, path, "What was learnt from them stays, their recordings do not")
        return FAILURE if lost else status

    def _practise(self, setup: SessionSetup, session_file: Path) -> int:
        from tenon.cli.finetune import prepare_training
        from tenon.cli.practice import Practice, open_record
        from tenon.cli.running import running_session
        from tenon.data.store import EpisodeStore
        from tenon.session.practice import BEST_FOLDER
        from tenon.session.recordings import Recordings

        config, path, practice = setup.config, setup.config.run_directory, setup.config.practice
        assert practice is not None  # run has seen to it
        note(f"run directory: {path}")
        record = open_record(setup)
        prepare_training(setup)
        with _hint_at_resume(setup), running_session(setup, session_file, watched=True) as session:
            recordings = Recordings(EpisodeStore(setup.episodes_directory))
            report = Practice(session, setup, practice, recordings, record).run()
        OUT.print(report.to_markdown(), markup=False, soft_wrap=True)
        note(f"policy: {path / BEST_FOLDER}")
        write_result(self.json, {**report.to_json(), "run_directory": str(config.run_directory)})
        return SUCCESS

    def _report(self, setup: SessionSetup, outcome: RunOutcome, wall_s: float) -> int:
        from tenon.cli.evaluation import condition_of, evaluation_table
        from tenon.session.report import EvaluationReport, evaluate

        config, reason = setup.config, outcome.result.stop_reason
        limit_n = setup.job.force_limit_n
        condition = condition_of(setup.goal_error_m)
        counted = evaluate(config.controller, condition, outcome.episodes, force_limit_n=limit_n)
        OUT.print(evaluation_table([counted], f"{config.run_directory}: {reason}"))
        report = EvaluationReport(config.task, config.robot, (counted,), wall_s).to_json()
        write_result(self.json, {**report, "stop_reason": reason, "run_directory": str(config.run_directory)})
        return SUCCESS if reason == "done" else FAILURE


def _episodes_done(setup: SessionSetup, plan: SessionPlan) -> int:
    """As the session manager counts them: for the display, and to say at once that nothing is left to do."""
    from tenon.data.store import EpisodeStore
    from tenon.session.progress import episodes_done

    return episodes_done(EpisodeStore(setup.episodes_directory), plan)


def _not_kept(setup: SessionSetup, plan: SessionPlan, outcome: RunOutcome) -> list[EpisodeSummary]:
    """The episodes that were run and are not whole on the disk."""
    from tenon.data.store import EpisodeStore
    from tenon.session.progress import missing_seeds

    missing = set(missing_seeds(EpisodeStore(setup.episodes_directory), plan)) if plan.record else set()
    return [episode for episode in outcome.episodes if episode.seed in missing]


def warn(setup: SessionSetup) -> None:
    """Says what of a connector or a camera will work badly, or not at all, though it is taken."""
    from tenon.session.picture_check import cameras_not_started, doubts_of_picture
    from tenon.session.stand import Stand
    from tenon.simulation.fits import doubts

    if isinstance(setup.stand, Stand):
        stand = setup.stand
        found = (*doubts(stand.connector, stand.task), *doubts_of_picture(stand), *cameras_not_started(stand))
        for doubt in found:
            note(f"warning: {doubt}")


def _check_training(setup: SessionSetup) -> None:
    """What the trainer would refuse once the graph is up. Raises ConfigurationError."""
    from tenon.configuration import parse
    from tenon.configuration.session import LEARNED
    from tenon.training.config import TrainerConfig
    from tenon.training.trainer import check_data

    session = setup.config
    if session.controller in LEARNED and session.practice is None:  # practice hands in its own data
        config = parse(TrainerConfig, dict(setup.algorithm), where=f"algorithm {session.algorithm}")
        check_data(config, setup.environment_spec, has_prior=session.prior_data is not None)


@contextmanager
def _hint_at_resume(setup: SessionSetup) -> Iterator[None]:
    """Where there is something to go on with."""
    try:
        yield
    except (KeyboardInterrupt, CommandError):
        if setup.trainer_directory.exists() or setup.episodes_directory.exists():
            path = setup.config.run_directory
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
