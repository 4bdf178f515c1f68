"""Practice: when it looks, which weights it keeps, when it stops, and what its report says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.configuration import ConfigurationError
from tenon.configuration.session import PracticeConfig
from tenon.session.practice import (
    TARGET_MET,
    TRIALS_SPENT,
    Judgement,
    Look,
    PracticeRecord,
    judge,
    read_record,
    undisturbed,
    write_record,
)
from tenon.session.practice_report import PracticeReport, agreement
from tenon.session.recordings import Trial
from tenon.session.statistics import EpisodeSummary, Outcome

CONFIG = PracticeConfig(evaluate_every=25, draws=20, target=0.9, target_times=2)
TRIALS = 200


def seen(successes: int, *, reward: float = 0.0, version: int = 0, connected: int | None = 0) -> Judgement:
    return Judgement(draws=20, successes=successes, connected=connected, mean_reward=reward, version=version)


def record_of(*successes: int, every: int = 25) -> PracticeRecord:
    """Looks with so many successes, the first before practice."""
    looks = tuple(Look(trials=every * i, seen=seen(count, version=i)) for i, count in enumerate(successes))
    return PracticeRecord(looks=looks)


def summary(*, success: bool, connected: bool | None, false_steps: int = 0, version: int = 3) -> EpisodeSummary:
    return EpisodeSummary(
        episode=0,
        controller="policy",
        outcome=Outcome.SUCCESS if success else Outcome.TIMEOUT,
        detail="",
        success=success,
        steps=20,
        steps_to_success=5 if success else 0,
        total_reward=15.0 * success,
        peak_force_n=4.0,
        goal_error_m=np.zeros(3),
        seed=0,
        policy_version=version,
        connected=connected,
        false_steps=false_steps,
    )


def test_it_looks_before_practice_and_after_every_so_many_trials_until_they_are_spent() -> None:
    record, looked = PracticeRecord(), []
    while (trials := record.next_look(CONFIG, 60)) is not None:
        looked.append(trials)
        record = PracticeRecord(looks=(*record.looks, Look(trials=trials, seen=seen(3))))
    assert looked == [0, 25, 50, 60]
    assert record.why_over(CONFIG, 60) == TRIALS_SPENT


def test_it_stops_when_the_target_is_met_twice_in_a_row_and_not_before() -> None:
    assert record_of(0, 18).next_look(CONFIG, TRIALS) == 50
    assert record_of(0, 18, 17, 18).next_look(CONFIG, TRIALS) == 100
    assert record_of(0, 18, 18).next_look(CONFIG, TRIALS) is None
    assert record_of(0, 18, 18).why_over(CONFIG, TRIALS) == TARGET_MET


def test_start_that_meets_the_target_already_counts_as_the_first_time() -> None:
    assert record_of(20).next_look(CONFIG, TRIALS) == 25
    assert record_of(20, 19).why_over(CONFIG, TRIALS) == TARGET_MET


def test_resumed_practice_may_be_given_more_trials() -> None:
    record = record_of(0, 3, 4)
    assert record.next_look(CONFIG, 50) is None
    assert record.next_look(CONFIG, 100) == 75


def test_best_weights_are_those_with_most_successes_wherever_they_were_seen() -> None:
    assert record_of(3, 9, 14, 11).best.trials == 50


def test_among_equals_the_sooner_reward_wins_and_then_the_earlier_look() -> None:
    looks = (
        Look(trials=0, seen=seen(5, reward=2.0)),
        Look(trials=25, seen=seen(5, reward=4.0)),
        Look(trials=50, seen=seen(5, reward=4.0)),
    )
    assert PracticeRecord(looks=looks).best.trials == 25


@pytest.mark.parametrize(
    ("looks", "before", "after", "start_is_kept"),
    [
        ((10, 12, 15), 10, 15, False),
        ((10, 9, 4), 10, 10, True),
        ((10, 12), 12, 11, True),
        ((10, 12), 11, 11, False),
    ],
    ids=["better", "every look is worse", "better by luck, worse on the report's draws", "as good on these"],
)
def test_start_policy_is_handed_over_unless_practice_beat_it(
    looks: tuple[int, ...], before: int, after: int, start_is_kept: bool
) -> None:
    record = record_of(*looks).model_copy(update={"before": seen(before), "after": seen(after)})
    assert record.start_is_handed_over is start_is_kept


def test_decisions_never_depend_on_what_the_detector_says() -> None:
    honest = record_of(3, 9, 14)
    lied_to = PracticeRecord(
        looks=tuple(
            look.model_copy(update={"seen": look.seen.model_copy(update={"connected": 20 - 5 * i})})
            for i, look in enumerate(honest.looks)
        )
    )
    assert lied_to.best.trials == honest.best.trials
    assert lied_to.next_look(CONFIG, TRIALS) == honest.next_look(CONFIG, TRIALS)


def test_judgement_counts_reward_and_detector_apart() -> None:
    episodes = [summary(success=True, connected=True)] * 3 + [summary(success=True, connected=False)]
    found = judge([*episodes, summary(success=False, connected=False)], 4)
    assert (found.draws, found.successes, found.connected, found.version) == (5, 4, 3, 4)
    assert found.mean_reward == pytest.approx(12.0)


def test_judgement_without_a_detector_says_nothing_of_it() -> None:
    found = judge([summary(success=True, connected=None), summary(success=False, connected=None)], 0)
    assert (found.successes, found.connected, found.connected_interval) == (1, None, None)


@pytest.mark.parametrize(
    "change",
    [{"human_steps": 1}, {"mark": "success", "who": "ada"}, {"outcome": Outcome.FAULT}],
    ids=["a person drove", "a person marked it", "a fault ended it"],
)
def test_disturbed_draw_is_no_success_of_the_policys(change: dict[str, Any]) -> None:
    own, disturbed = summary(success=True, connected=True), replace(summary(success=True, connected=True), **change)
    found = judge([own, disturbed], 3)
    assert (found.draws, found.successes, found.connected, found.disturbed) == (2, 1, 1, 1)
    assert found.mean_reward == pytest.approx(15.0)
    assert judge([disturbed], 3).successes == 0


@pytest.mark.parametrize("fault", ["force", "workspace", "arm"])
def test_fault_of_its_own_motion_is_a_failure_of_the_policys(fault: str) -> None:
    """Else weights that press too hard would have the most tries."""
    pressed = replace(summary(success=False, connected=False), outcome=Outcome.FAULT, detail=fault)
    assert undisturbed(pressed)
    found = judge([summary(success=True, connected=True), pressed], 3)
    assert (found.draws, found.successes, found.disturbed) == (2, 1, 0)


@pytest.mark.parametrize("fault", ["stale_command", "lost_image", "operator", "stream"])
def test_fault_of_another_disturbs_a_draw(fault: str) -> None:
    assert not undisturbed(replace(summary(success=False, connected=False), outcome=Outcome.FAULT, detail=fault))


def test_report_says_which_evaluations_were_disturbed() -> None:
    found = report()
    assert found.record.after is not None
    disturbed = found.record.after.model_copy(update={"disturbed": 2})
    told = replace(found, record=found.record.model_copy(update={"after": disturbed}))
    assert "| after, 2 disturbed | 0 | 13/20" in told.to_markdown()
    assert told.to_json()["after"]["disturbed"] == 2


def test_record_comes_back_from_the_disk_and_damage_is_told(tmp_path: Path) -> None:
    path, record = tmp_path / "practice.json", record_of(3, 9)
    assert read_record(path) == PracticeRecord()
    write_record(path, record)
    assert read_record(path) == record
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigurationError, match="is damaged"):
        read_record(path)


def report() -> PracticeReport:
    honest, exploit = summary(success=True, connected=True), summary(success=True, connected=False, false_steps=6)
    failed = summary(success=False, connected=False)
    trials = [Trial(f"episode_{i:06d}", failed) for i in range(40)]
    trials += [Trial(f"episode_{i:06d}", honest) for i in range(40, 99)]
    trials += [Trial("episode_000099", exploit)]
    record = record_of(2, 12).model_copy(update={"before": seen(3, connected=3), "after": seen(13, connected=12)})
    return PracticeReport(
        task="job-far",
        connector="europlug_02",
        robot="ur5",
        start="offline/checkpoints/update-000000025000",
        reward="daib",
        trials_at_most=TRIALS,
        record=record,
        trials=tuple(trials),
        why_over=TARGET_MET,
        versions={"tenon": "0.1.0", "reward": "0f3a"},
    )


def test_report_sets_the_reward_beside_the_detector_and_names_exploits() -> None:
    found = report()
    assert found.overall.rewarded == pytest.approx(0.60)
    assert found.overall.connected == pytest.approx(0.59)
    assert found.newest.trials == 50
    assert found.newest.difference == pytest.approx(0.02)
    assert [trial.recording for trial in found.exploits] == ["episode_000099"]


def test_report_says_the_same_in_json_and_for_people() -> None:
    text, data = report().to_markdown(), report().to_json()
    assert data["handed_over"] == "practised"
    assert data["exploits"] == ["episode_000099"]
    assert (data["before"]["successes"], data["after"]["successes"]) == (3, 13)
    assert data["after"]["interval_95"]["low"] == pytest.approx(0.4329, abs=1e-4)
    assert "| before | 0 | 3/20 (0.05 - 0.36) | 3/20 (0.05 - 0.36) | 0.00 |" in text
    assert "the policy after 25 trials" in text
    assert "- `episode_000099`: 6 such steps" in text
    assert "| last 50 | 1.00 | 0.98 | +0.02 |" in text


def report_without_detector() -> PracticeReport:
    trials = [
        Trial(f"episode_{i:06d}", summary(success=i >= 10, connected=None, false_steps=0)) for i in range(10 + 25)
    ]
    looks = tuple(Look(trials=25 * i, seen=seen(count, connected=None)) for i, count in enumerate((2, 12)))
    before, after = seen(3, connected=None), seen(13, connected=None)
    record = PracticeRecord(looks=looks, before=before, after=after)
    return replace(report(), record=record, trials=tuple(trials))


def test_report_without_a_detector_accuses_no_trial_and_asks_a_person_to_look() -> None:
    text, data = report_without_detector().to_markdown(), report_without_detector().to_json()
    assert "detector" not in text and "difference" not in text and "without a connection" not in text
    assert "| before | 0 | 3/20 (0.05 - 0.36) | 0.00 |" in text
    assert "Nothing at this stand tells the truth: check 20 trials by hand." in text
    listed = [line for line in text.splitlines() if line.startswith("- `episode_")]
    assert listed == [f"- `episode_{i:06d}`" for i in range(15, 35)], "the newest that the reward calls a success"
    assert (data["exploits"], data["false_steps"], data["after"]["connected"]) == (None, None, None)
    assert (data["overall"]["rewarded"], data["overall"]["difference"]) == (pytest.approx(25 / 35), None)


def test_detector_that_missed_one_look_is_no_witness() -> None:
    record = report().record.model_copy(update={"after": seen(13, connected=None)})
    assert "by hand" in replace(report(), record=record).to_markdown()


def test_no_trials_agree_by_definition() -> None:
    assert agreement(()).difference == 0.0
