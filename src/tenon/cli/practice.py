"""Practice on a running session: evaluate, practise, keep the best, hand over; a stage that is done is durable."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tenon.cli.checkpoints import policy_of
from tenon.cli.console import note, write_json, write_text
from tenon.cli.errors import CommandError
from tenon.cli.evaluation import EvaluationPlan, run_evaluation
from tenon.cli.handing_over import hand_over, is_whole
from tenon.configuration.session import PracticeConfig
from tenon.data.episodes import EpisodeError
from tenon.data.mapped_array import StorageError
from tenon.session.draws import CHOICE_SEED, EVALUATION_SEED
from tenon.session.machine import DONE
from tenon.session.plans import configured_plan
from tenon.session.practice import (
    BEST_FOLDER,
    RECORD_FILE,
    Basis,
    Judgement,
    Look,
    PracticeRecord,
    check_basis,
    judge,
    read_record,
    undisturbed,
    write_record,
)
from tenon.session.practice_report import PracticeReport

if TYPE_CHECKING:
    from tenon.cli.running import RunningSession
    from tenon.session.machine import SessionPlan
    from tenon.session.recordings import Recordings
    from tenon.session.setup import SessionSetup
    from tenon.training.snapshot import PolicySnapshot

REPORT_FILE, REPORT_TEXT_FILE = "report.json", "report.md"
KEPT_FOLDER = "kept"
KEPT_LOOKS = 2
"""Weights that are kept beside those of the start: the best, and what takes their place should they be lost."""
EVALUATION_ATTEMPTS = 3
"""Weights that are on their way to the policy node as an evaluation begins make it worthless."""
RECORDER_TIMEOUT_S = 30.0
POLL_S = 0.1


class Practice:
    """One practice, from where ``record`` says that it is. recordings: of the same run."""

    def __init__(
        self,
        session: RunningSession,
        setup: SessionSetup,
        config: PracticeConfig,
        recordings: Recordings,
        record: PracticeRecord,
    ) -> None:
        self._session = session
        self._setup = setup
        self._config = config
        self._trials = setup.config.episodes
        self._recordings = recordings
        self._directory = setup.run_directory
        self._record = record
        self._since_s = time.monotonic()
        self._newest = Path()

    def run(self) -> PracticeReport:
        """Raises CommandError where a stage does not come to its end; what was finished is kept."""
        try:
            return self._run()
        except EpisodeError as error:
            raise CommandError(f"{error}. What was practised is kept: mend the recording, then resume") from error

    def _run(self) -> PracticeReport:
        if self._record.looks:
            self._fall_back()
            self._hand_over()
        if self._record.before is None:
            before = self._evaluate("before", EVALUATION_SEED, self._take_newest)
            self._write(replace_with(self._record, before=before))
        while (until := self._record.next_look(self._config, self._trials)) is not None:
            self._practise(until)
            self._look(until)
        if self._record.after is None:
            self._write(replace_with(self._record, after=self._judge_best()))
        self._hand_over()
        return self._report()

    @property
    def _best(self) -> Path:
        return self._directory / BEST_FOLDER

    def _kept(self, trials: int) -> Path:
        return self._directory / KEPT_FOLDER / f"trials-{trials:06d}"

    def _hand_over(self) -> None:
        """The policy that is the one to take as things stand."""
        chosen = self._kept(0 if self._record.start_is_handed_over else self._record.best.trials)
        if not is_whole(chosen):
            raise CommandError(f"{chosen} is damaged: put a copy of the checkpoint that it was there, then resume")
        hand_over(chosen, self._best)

    def _fall_back(self) -> None:
        """Where the best weights were lost, the best of those that are there take their place."""
        start = self._setup.config.initial_checkpoint
        if start is not None and is_whole(start) and not is_whole(self._kept(0)):
            note(f"{self._kept(0)} is damaged: copied anew from {start}")
            hand_over(start, self._kept(0))
        lost = tuple(look.trials for look in self._record.looks if not is_whole(self._kept(look.trials)))
        if self._record.best.trials not in lost:
            return
        damaged = self._kept(self._record.best.trials)
        record = replace_with(self._record, lost=lost, after=None)
        if not record.ranked:
            raise CommandError(
                f"{damaged} is damaged, and no other weights are kept: practise anew in another run directory"
            )
        note(f"{damaged} is damaged: the best weights that are whole are those after {record.best.trials} trials")
        self._write(record)

    def _practise(self, until: int) -> None:
        """The trials up to number ``until``; those that are recorded are not run again."""
        looks = self._record.looks
        start = looks[-1].trials if looks else 0
        if until == start:
            return
        whole = configured_plan(self._setup)
        plan = replace(whole, seed=whole.seed + start, episodes=until - start)
        done = self._recordings.done(plan)
        if done < plan.episodes:
            title = f"practise, trials {start + 1} to {until} of {self._trials}"
            outcome = self._session.run(plan, title, done_before=done)
            if outcome.result.stop_reason != DONE:
                reason = outcome.result.stop_reason
                raise CommandError(f"practice stopped after {start + done + len(outcome.episodes)} trials: {reason}")
        self._await_recorder(plan)

    def _await_recorder(self, plan: SessionPlan) -> None:
        deadline_s = time.monotonic() + RECORDER_TIMEOUT_S
        while (done := self._recordings.done(plan)) < plan.episodes:
            self._session.check()
            if time.monotonic() > deadline_s:
                raise CommandError(f"of {plan.episodes} trials, {done} are recorded: see log/recorder_node.log")
            time.sleep(POLL_S)

    def _look(self, trials: int) -> None:
        """Evaluates the weights that these trials led to, and keeps them if they are among the best so far."""
        seen = self._evaluate(f"after {trials} trials", CHOICE_SEED, self._take_newest)
        record = replace_with(self._record, looks=(*self._record.looks, Look(trials=trials, seen=seen)), after=None)
        keep = {0, *(look.trials for look in record.ranked[:KEPT_LOOKS])}
        if trials in keep:
            hand_over(self._newest, self._kept(trials))
        self._write(record)
        self._hand_over()
        self._forget_all_but(keep)
        truth = "" if seen.connected is None else f", {seen.connected} by the detector"
        note(f"after {trials} trials: {seen.successes}/{seen.draws} by the reward{truth}")
        if seen.disturbed:
            note(f"{seen.disturbed} of these draws were disturbed by a fault or a person each time: no success")

    def _judge_best(self) -> Judgement:
        """The chosen policy on the draws of the report."""
        best, before = self._record.best, self._record.before
        if best.trials == 0 and before is not None:
            return before
        policy = policy_of(self._kept(best.trials))
        return self._evaluate("the best policy", EVALUATION_SEED, lambda: self._publish(policy))

    def _publish(self, policy: PolicySnapshot) -> int:
        """Once the trainer is done: it publishes its own newest weights as it comes up, and those would act instead."""
        self._take_newest()
        self._session.publish_policy(policy)
        return policy.version

    def _take_newest(self) -> int:
        """Has the trainer save and publish what its steps led to; returns the policy's version."""
        steps = self._recordings.steps_for_training(self._setup.environment_spec)
        self._newest = self._session.save_training(steps)
        return policy_of(self._newest).version

    def _evaluate(self, name: str, seed: int, prepare: Callable[[], int]) -> Judgement:
        """prepare: before each attempt, has the policy published that must act in every step; returns its version."""
        setup, config = self._setup, self._config
        plan = EvaluationPlan(
            controller=setup.config.controller,
            name=name,
            goal_error_m=setup.goal_error_m,
            goal_error_min_m=setup.goal_error_min_m,
            draws=config.draws,
            deterministic=config.deterministic,
            seed=seed,
            stop_at_success=False,
        )
        version, others = 0, set[int]()
        for _ in range(EVALUATION_ATTEMPTS):
            version = prepare()
            evaluated = run_evaluation(
                self._session, plan, f"evaluate {name}", force_limit_n=setup.job.force_limit_n, counts=undisturbed
            )
            acted = set[int]().union(*(one.policy_versions for one in evaluated.episodes if undisturbed(one)))
            others = acted - {version}
            if not others:
                return judge(evaluated.episodes, version)
        raise CommandError(
            f"evaluate {name}: policy {version} is to be judged, {sorted(others)} acted too: resume the run"
        )

    def _write(self, record: PracticeRecord) -> None:
        """Makes a stage durable, with the time that it took."""
        now_s = time.monotonic()
        self._record = replace_with(record, wall_s=record.wall_s + now_s - self._since_s)
        self._since_s = now_s
        try:
            write_record(self._directory / RECORD_FILE, self._record)
        except StorageError as error:
            raise CommandError(f"{error}. Free some space, then resume: this stage is done again") from error

    def _forget_all_but(self, trials: set[int]) -> None:
        kept = {self._kept(number) for number in trials}
        for folder in (self._directory / KEPT_FOLDER).iterdir():
            if folder not in kept:
                shutil.rmtree(folder)

    def _report(self) -> PracticeReport:
        setup, config = self._setup, self._setup.config
        paid_by = ", ".join(self._recordings.reward_versions(setup.environment_spec))
        versions = {**setup.versions, "configuration": setup.configuration_hash}
        report = PracticeReport(
            task=config.task,
            connector=setup.connector.name,
            robot=config.robot,
            start=str(config.initial_checkpoint),
            reward=config.reward,
            trials_at_most=self._trials,
            record=self._record,
            trials=self._recordings.trials(configured_plan(setup)),
            why_over=self._record.why_over(self._config, self._trials),
            versions={**versions, "reward": paid_by} if paid_by else versions,
        )
        try:
            write_json(self._directory / REPORT_FILE, report.to_json())
            write_text(self._directory / REPORT_TEXT_FILE, report.to_markdown())
        except OSError as error:
            raise CommandError(f"the report cannot be written: {error}. Free some space, then resume") from error
        return report


def open_record(setup: SessionSetup) -> PracticeRecord:
    """How far the practice in the run directory is; what it rests on is noted in it from the first stage on.

    Raises ConfigurationError where the file is damaged, and where the session now rests on something else.
    """
    path, basis = setup.run_directory / RECORD_FILE, basis_of(setup)
    record = read_record(path)
    check_basis(record, basis, path)
    return replace_with(record, basis=basis)


def basis_of(setup: SessionSetup) -> Basis:
    """Raises CheckpointError for a classifier that is damaged."""
    from tenon.rewards.daib import RewardClassifier

    folder = setup.config.reward_checkpoint if setup.config.reward == "daib" else None
    reward = "" if folder is None else RewardClassifier.load(folder).version
    return Basis(configuration=setup.part_hashes, reward=reward)


def replace_with(record: PracticeRecord, **changes: object) -> PracticeRecord:
    """A record with other values, which are checked."""
    return PracticeRecord.model_validate({**dict(record), **changes})
