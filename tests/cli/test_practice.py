"""`tenon session run --finetune` against a session that does as it is told: keeps, stops, resumes, hands over."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.session.test_practice import summary

from tenon.cli.errors import CommandError
from tenon.cli.practice import Practice, basis_of, open_record
from tenon.cli.running import RunningSession, RunOutcome
from tenon.configuration import ConfigurationError
from tenon.configuration.session import PracticeConfig
from tenon.data.mapped_array import StorageError
from tenon.data.transitions import EnvironmentSpec, ObservationSpec
from tenon.session.draws import CHOICE_SEED, EVALUATION_SEED
from tenon.session.machine import SessionPlan
from tenon.session.practice import BEST_FOLDER, RECORD_FILE, PracticeRecord
from tenon.session.recordings import Recordings, Trial
from tenon.session.setup import SessionSetup, load_setup, with_algorithm
from tenon.session.statistics import EpisodeSummary, Outcome
from tenon.training.config import TrainerConfig
from tenon.training.snapshot import PolicySnapshot
from tenon.training.trainer import Trainer
from tenon_session.client import RunResult
from tenon_session.testing.sessions import constant_classifier, picture_session

TRIALS, EVERY, DRAWS = 12, 4, 5
CONFIG = PracticeConfig(evaluate_every=EVERY, draws=DRAWS, target=1.0)
SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=3)
SAC = {"method": "sac", "batch_size": 4, "algorithm": {"hidden_sizes": [4, 4]}}


class KilledError(Exception):
    """The process has ended here."""


class Robot:
    """A session whose policy, after each trial, succeeds in as many draws as planned.

    skill: successes of DRAWS after so many trials, by the reward. on_report: those on the draws of the report, where
    they are others. killed_after: trials after which it dies, once; killed_at: the seed of a draw in which it does.
    lost: so many policies that are published do not come to act. disturbed: what becomes of a draw that would have been
    a success, by the number of its attempt and of the trials before it.
    """

    def __init__(self, folder: Path, skill: dict[int, int], *, on_report: dict[int, int] | None = None) -> None:
        self.skill, self.on_report = skill, on_report or skill
        self.trained, self.acting = 0, 0
        self.killed_after: int | None = None
        self.killed_at: Callable[[int], bool] = lambda seed: False
        self.trainer_is_up = True
        self.lost = 0
        self.interrupted = False
        self.disturbed: Callable[[int, int], dict[str, Any]] = lambda attempt, trained: {}
        self._attempts: Counter[tuple[int, int]] = Counter()
        self.evaluated: list[tuple[int, int]] = []
        self._folder = folder
        self._recorded: dict[int, EpisodeSummary] = {}

    # As tenon.cli.running.RunningSession

    def run(self, plan: SessionPlan, title: str, *, done_before: int | None = None) -> RunOutcome:
        del title
        assert plan.controller == "policy"
        if not self.trainer_is_up:
            self._publish_trained()
        seeds = range(plan.seed + (done_before or 0), plan.seed + plan.episodes)
        episodes = tuple(self._trial(seed) if plan.train else self._draw(seed) for seed in seeds)
        if not plan.train:
            self.evaluated.append((self.acting, plan.seed))
        return RunOutcome(RunResult(len(episodes), 0, 0.0, 0, "done"), episodes)

    def save_training(self, transitions: int) -> Path:
        assert transitions == len(self._recorded)
        self._publish_trained()
        return checkpoint_of(self._folder / f"{self.trained}", self.trained)

    def check(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt

    def publish_policy(self, policy: PolicySnapshot) -> None:
        if self.lost:
            self.lost -= 1
        else:
            self.acting = policy.version

    def restart(self) -> None:
        """Its trainer is there at once, and publishes once it has read its folder."""
        self.trainer_is_up = False

    def _publish_trained(self) -> None:
        self.trainer_is_up, self.acting = True, self.trained

    # As tenon.session.recordings.Recordings

    def done(self, plan: SessionPlan) -> int:
        return sum(plan.seed <= seed < plan.seed + plan.episodes for seed in self._recorded)

    def steps_for_training(self, spec: EnvironmentSpec) -> int:
        del spec
        return len(self._recorded)

    def trials(self, plan: SessionPlan) -> tuple[Trial, ...]:
        assert plan.episodes == TRIALS
        return tuple(Trial(f"episode_{seed}", found) for seed, found in sorted(self._recorded.items()))

    def reward_versions(self, spec: EnvironmentSpec) -> tuple[str, ...]:
        del spec
        return "0f3a", "77c1"

    def _trial(self, seed: int) -> EpisodeSummary:
        if self.trained == self.killed_after:
            self.killed_after = None
            raise KilledError
        self.trained += 1
        self._recorded[seed] = summary(success=True, connected=True, version=self.trained)
        return self._recorded[seed]

    def _draw(self, seed: int) -> EpisodeSummary:
        if self.killed_at(seed):
            self.killed_at = lambda _: False
            raise KilledError
        skill = self.skill if seed >= CHOICE_SEED else self.on_report
        first = CHOICE_SEED if seed >= CHOICE_SEED else EVALUATION_SEED
        self._attempts[self.trained, seed] += 1
        won = seed - first < skill[self.acting]
        changes = self.disturbed(self._attempts[self.trained, seed], self.trained) if won else {}
        return replace(summary(success=won, connected=False, version=self.acting), **changes)


def checkpoint_of(folder: Path, version: int) -> Path:
    """A checkpoint of a learner that has done so many updates; the same at every call."""
    trainer_folder = folder / "trainer"
    config = TrainerConfig.model_validate(SAC)
    with_it = Trainer.open(config, SPEC, trainer_folder, seed=0)
    with_it.learner.updates = version
    path = with_it.save()
    with_it.replay.close()
    return path


@pytest.fixture
def setup(tmp_path: Path) -> SessionSetup:
    return load_setup("job", {"run_directory": str(tmp_path / "run"), "episodes": TRIALS})


def practise(robot: Robot, setup: SessionSetup) -> Any:
    setup.run_directory.mkdir(exist_ok=True)
    recordings: Recordings = robot  # type: ignore[assignment]
    session: RunningSession = robot  # type: ignore[assignment]
    return Practice(session, setup, CONFIG, recordings, open_record(setup)).run()


def version_in(folder: Path) -> int:
    from tenon.cli.checkpoints import policy_of

    return policy_of(folder).version


def test_best_policy_on_the_way_is_handed_over_though_it_was_not_the_last(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    report = practise(robot, setup)
    assert version_in(setup.run_directory / BEST_FOLDER) == 8
    assert (report.record.before.successes, report.record.after.successes) == (1, 4)
    assert robot.evaluated[-1] == (8, EVALUATION_SEED), "the chosen policy is judged on the report's draws"
    assert report.to_json()["handed_over_version"] == 8


def test_start_policy_stays_when_practice_makes_it_worse(tmp_path: Path, setup: SessionSetup) -> None:
    report = practise(Robot(tmp_path, {0: 3, 4: 2, 8: 1, 12: 0}), setup)
    assert version_in(setup.run_directory / BEST_FOLDER) == 0
    assert report.record.after == report.record.before
    assert "the start policy, unchanged" in report.to_markdown()


def test_start_policy_stays_when_the_chosen_one_was_good_by_luck_alone(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 2, 4: 4, 8: 1, 12: 1}, on_report={0: 3, 4: 2})
    report = practise(robot, setup)
    assert version_in(setup.run_directory / BEST_FOLDER) == 0
    assert report.handed_over.successes == 3


def test_practice_ends_when_the_target_is_met_twice_in_a_row(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 0, 4: 5, 8: 5})
    report = practise(robot, setup)
    assert robot.trained == 8
    assert report.why_over == "the target is met"
    assert len(report.trials) == 8
    assert version_in(setup.run_directory / BEST_FOLDER) == 4


class BlindRobot(Robot):
    """At a stand without a detector."""

    def _trial(self, seed: int) -> EpisodeSummary:
        self._recorded[seed] = replace(super()._trial(seed), connected=None)
        return self._recorded[seed]

    def _draw(self, seed: int) -> EpisodeSummary:
        return replace(super()._draw(seed), connected=None)


def test_practice_without_a_detector_tells_of_the_reward_alone(
    tmp_path: Path, setup: SessionSetup, capsys: pytest.CaptureFixture[str]
) -> None:
    report = practise(BlindRobot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3}), setup)
    assert report.exploits == () and "check 20 trials by hand" in report.to_markdown()
    said = capsys.readouterr().err
    assert "after 8 trials: 4/5 by the reward" in said and "detector" not in said


@pytest.mark.parametrize("killed_after", [0, 2, 4, 9])
def test_killed_practice_goes_on_where_it_was(tmp_path: Path, setup: SessionSetup, killed_after: int) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.killed_after = killed_after
    with pytest.raises(KilledError):
        practise(robot, setup)
    report = practise(robot, setup)
    assert robot.trained == TRIALS, "no trial is done twice"
    assert [look.trials for look in report.record.looks] == [0, 4, 8, 12]
    assert version_in(setup.run_directory / BEST_FOLDER) == 8
    evaluations = [version for version, _ in robot.evaluated]
    assert evaluations == [0, 0, 4, 8, 12, 8], "what was evaluated is not evaluated again"


def test_best_so_far_is_there_while_practice_goes_on(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.killed_after = 9
    with pytest.raises(KilledError):
        practise(robot, setup)
    assert version_in(setup.run_directory / BEST_FOLDER) == 8


def test_resumed_practice_that_rests_on_something_else_is_refused(tmp_path: Path, setup: SessionSetup) -> None:
    practise(Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3}), setup)
    edited = load_setup("job", {"run_directory": str(setup.run_directory), "episodes": TRIALS, "connector": "usb"})
    with pytest.raises(ConfigurationError, match=r"practice\.json: this practice rests on something else \(config"):
        open_record(edited)
    longer = load_setup("job", {"run_directory": str(setup.run_directory), "episodes": 2 * TRIALS})
    assert open_record(longer).looks


def test_record_of_before_its_basis_was_noted_is_read(tmp_path: Path, setup: SessionSetup) -> None:
    practise(Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3}), setup)
    path = setup.run_directory / RECORD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "basis": None}))
    assert open_record(setup).basis == basis_of(setup)


def test_another_classifier_is_another_basis(tmp_path: Path) -> None:
    file = tmp_path / "session.yaml"
    paid = {"reward": "daib", "reward_checkpoint": str(tmp_path / "daib")}
    file.write_text(yaml.safe_dump({**picture_session(tmp_path), **paid}))
    versions = set()
    for logit in (0.0, 1.0):
        shutil.rmtree(tmp_path / "daib", ignore_errors=True)
        constant_classifier(tmp_path / "daib", logit)
        versions.add(basis_of(load_setup(file)).reward)
    assert len(versions) == 2


def test_report_names_every_classifier_that_paid(tmp_path: Path, setup: SessionSetup) -> None:
    assert practise(Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3}), setup).versions["reward"] == "0f3a, 77c1"


@pytest.mark.parametrize(("damaged", "best"), [((8,), 12), ((8, 12), 0)], ids=["the best", "all but the start"])
def test_weights_that_were_lost_are_replaced_by_the_next_best(
    tmp_path: Path, setup: SessionSetup, capsys: pytest.CaptureFixture[str], damaged: tuple[int, ...], best: int
) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.killed_at = lambda seed: robot.trained == TRIALS and seed < CHOICE_SEED
    with pytest.raises(KilledError):
        practise(robot, setup)
    for trials in damaged:
        tensors = setup.run_directory / "kept" / f"trials-{trials:06d}" / "tensors.safetensors"
        tensors.write_bytes(tensors.read_bytes()[:-5])
    report = practise(robot, setup)
    assert report.record.best.trials == version_in(setup.run_directory / BEST_FOLDER) == best
    assert (
        f"trials-000008 is damaged: the best weights that are whole are those after {best}" in capsys.readouterr().err
    )


def test_start_that_was_lost_is_copied_anew_from_where_it_came(tmp_path: Path, setup: SessionSetup) -> None:
    origin = checkpoint_of(tmp_path / "origin", 0)
    config = setup.config.model_copy(update={"initial_checkpoint": origin})
    setup = with_algorithm(setup, config, setup.algorithm)
    robot = Robot(tmp_path, {0: 3, 4: 2, 8: 1, 12: 0})
    practise(robot, setup)
    (setup.run_directory / "kept" / "trials-000000" / "manifest.json").unlink()
    assert practise(robot, setup).record.start_is_handed_over
    assert version_in(setup.run_directory / BEST_FOLDER) == 0


def test_policy_that_a_power_cut_took_from_its_place_is_put_there_again(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.killed_after = 9
    with pytest.raises(KilledError):
        practise(robot, setup)
    shutil.rmtree(setup.run_directory / BEST_FOLDER)
    robot.killed_after = 9
    with pytest.raises(KilledError):
        practise(robot, setup)
    assert version_in(setup.run_directory / BEST_FOLDER) == 8


def test_waiting_for_the_recorder_ends_at_once_with_ctrl_c(
    tmp_path: Path, setup: SessionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2})
    robot.interrupted = True
    monkeypatch.setattr(robot, "done", lambda plan: 0)
    with pytest.raises(KeyboardInterrupt):
        practise(robot, setup)


def test_full_disk_ends_the_command_with_what_to_do(
    tmp_path: Path, setup: SessionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, record: PracticeRecord) -> None:
        raise StorageError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr("tenon.cli.practice.write_record", full)
    with pytest.raises(CommandError, match=r"No space left on device\. Free some space, then resume"):
        practise(Robot(tmp_path, {0: 1}), setup)


def test_practice_killed_in_its_last_evaluation_judges_the_best_policy_though_the_trainer_publishes_its_own(
    tmp_path: Path, setup: SessionSetup
) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.killed_at = lambda seed: robot.trained == TRIALS and seed < CHOICE_SEED
    with pytest.raises(KilledError):
        practise(robot, setup)
    robot.restart()
    assert practise(robot, setup).record.after.version == 8


def test_policy_that_did_not_reach_the_policy_node_is_published_again(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.lost = 2
    assert practise(robot, setup).record.after.version == 8


def test_policy_that_changes_under_an_evaluation_is_not_judged(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1})
    honest = robot._draw
    robot._draw = lambda seed: replace(honest(seed), policy_version=seed % 2)  # type: ignore[method-assign]
    with pytest.raises(CommandError, match=r"policy 0 is to be judged, \[1\] acted too: resume the run"):
        practise(robot, setup)


def test_look_at_other_weights_than_those_that_were_saved_is_not_judged(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 1: 5})
    honest = robot._draw
    robot._draw = lambda seed: replace(honest(seed), policy_version=1)  # type: ignore[method-assign]
    with pytest.raises(CommandError, match=r"policy 0 is to be judged, \[1\] acted too"):
        practise(robot, setup)


def test_weights_that_change_within_an_episode_are_noticed(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2})
    robot.disturbed = lambda attempt, trained: {"lowest_policy_version": trained - 1} if trained else {}
    with pytest.raises(CommandError, match=r"policy 4 is to be judged, \[3\] acted too"):
        practise(robot, setup)


@pytest.mark.parametrize(
    "change",
    [
        {"human_steps": 3},
        {"mark": "success", "who": "ada"},
        {"outcome": Outcome.FAULT, "success": False},
        {"outcome": Outcome.FAULT, "success": False, "steps": 0, "policy_version": 0},
    ],
    ids=["a person drove", "a person marked it", "a fault", "a fault before the first step"],
)
def test_draw_that_was_disturbed_is_run_again(tmp_path: Path, setup: SessionSetup, change: dict[str, Any]) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.disturbed = lambda attempt, trained: change if attempt == 1 else {}
    record = practise(robot, setup).record
    assert [look.seen.successes for look in record.looks] == [1, 2, 4, 3]
    assert [look.seen.disturbed for look in record.looks] == [0, 0, 0, 0]


def test_draw_that_stays_disturbed_chooses_no_weights(tmp_path: Path, setup: SessionSetup) -> None:
    robot = Robot(tmp_path, {0: 1, 4: 2, 8: 4, 12: 3})
    robot.disturbed = lambda attempt, trained: {"human_steps": 3} if trained == 8 else {}
    record = practise(robot, setup).record
    assert [(look.seen.successes, look.seen.disturbed) for look in record.looks] == [(1, 0), (2, 0), (0, 4), (3, 0)]
    assert version_in(setup.run_directory / BEST_FOLDER) == 12
