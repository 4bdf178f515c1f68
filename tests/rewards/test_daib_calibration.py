"""Temperature and threshold against brute force, and the rule of success by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from drawn_sockets import draw_domains

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.rewards.daib.calibration import calibrate, temperature
from tenon.rewards.daib.config import CalibrationConfig
from tenon.rewards.daib.hits import NEVER, PASSED_OVER, SessionBest, SuccessRule, score_frames


def _episode(
    labels: list[bool], *, steps: list[int] | None = None, episodes: list[int] | None = None
) -> LabelledImages:
    count = len(labels)
    data = draw_domains(1, 1, seed=0)
    return replace(
        data,
        image=np.repeat(data.image[:1], count, axis=0),
        label=np.array(labels),
        domain=np.zeros(count, np.int64),
        episode=np.array(episodes or [0] * count),
        step=np.array(steps or range(count)),
    )


def _likelihood(logit: np.ndarray, inserted: np.ndarray, scale: float) -> float:
    surprise = np.log1p(np.exp(np.where(inserted, -logit, logit) / scale))
    return -0.5 * float(surprise[inserted].mean()) - 0.5 * float(surprise[~inserted].mean())


@pytest.mark.parametrize("true_scale", [0.3, 1.0, 4.0])
def test_temperature_is_the_likeliest_of_a_fine_grid(true_scale: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 4000)
    inserted = rng.uniform(size=4000) < 1 / (1 + np.exp(-honest))
    logit = (honest * true_scale).astype(np.float32)
    found = temperature(logit, inserted)
    grid = np.exp(np.linspace(math.log(0.05), math.log(20), 2001))
    best = grid[np.argmax([_likelihood(logit.astype(np.float64), inserted, scale) for scale in grid])]
    assert found == pytest.approx(best, rel=0.01)
    assert found == pytest.approx(true_scale, rel=0.1)


def test_temperature_of_perfect_and_of_useless_logits_stays_bounded() -> None:
    inserted = np.array([True, False] * 20)
    perfect = np.where(inserted, 1.0, -1.0).astype(np.float32)
    assert temperature(perfect, inserted) == pytest.approx(0.01)
    assert temperature(-perfect, inserted) == pytest.approx(100.0)


def test_score_of_a_frame_is_the_lower_of_two_and_never_crosses_an_episode_or_a_gap() -> None:
    data = _episode([False, False, True, True, True, True], episodes=[0, 0, 0, 0, 1, 1], steps=[0, 1, 2, 4, 0, 1])
    scores = score_frames(np.array([1.0, 5.0, 2.0, 9.0, 4.0, 3.0], np.float32), data, np.arange(6))
    never = -np.inf
    assert scores.score.tolist() == [never, 1.0, 2.0, never, never, 3.0]
    assert scores.typical.tolist() == [never, 1.0, 1.5, 1.5, 1.5, 2.5]
    # Frame 2 follows one not inserted, 3 follows a gap, 0 and 4 begin an episode.
    assert np.flatnonzero(scores.negative).tolist() == [1]
    assert np.flatnonzero(scores.positive).tolist() == [5]


def test_rule_needs_two_frames_in_a_row_and_forgets_at_an_episodes_begin() -> None:
    rule = SuccessRule(1.0)
    seen = [rule.next(logit) for logit in (2.0, 0.0, 2.0, 2.0, 2.0, 1.0, 2.0)]
    assert seen == [False, False, False, True, True, False, False]
    rule.begin_episode()
    assert [rule.next(2.0), rule.next(2.0)] == [False, True]


def test_bar_rises_with_the_best_of_the_session_and_stays_over_episodes() -> None:
    rule = SuccessRule(1.0, margin_logit=0.2)
    seen = [rule.next(logit) for logit in (2.0, 2.0, *[3.0] * 8, 2.4, 2.4)]
    assert seen == [False, *[True] * 9, False, False]
    rule.begin_episode()
    assert [rule.next(logit) for logit in (2.4, 2.4, 2.9, 2.9)] == [False, False, False, True]


def test_what_is_typical_is_the_median_of_those_near_the_best_and_one_better_frame_hardly_moves_it() -> None:
    rng = np.random.default_rng(0)
    best = SessionBest()
    seated, free = rng.uniform(1.8, 2.2, 200), rng.uniform(-4, 1.0, 200)
    for score in rng.permutation(np.concatenate([seated, free])):
        best.take(float(score))
    assert best.typical == pytest.approx(float(np.median(seated)))
    before = best.typical
    best.take(2.7)
    assert before <= best.typical < before + 0.01


def test_best_frames_that_come_later_and_higher_take_the_place_of_those_before() -> None:
    best = SessionBest()
    for score in [0.5] * 20 + [2.5] * 3:
        best.take(score)
    assert best.typical == 2.5


def _episode_paid(rule: SuccessRule, logits: list[float]) -> int:
    """How many frames of one more episode are successes."""
    rule.begin_episode()
    return sum([rule.next(logit) for logit in logits])


def _seated(rng: np.random.Generator, level: float, frames: int = 15) -> list[float]:
    return [-4.0, -2.0, *rng.normal(level, 0.2, frames)]


@pytest.mark.parametrize("outlier_frames", [2, 15])
def test_hand_before_the_camera_in_one_episode_raises_the_bar_for_some_episodes_alone(outlier_frames: int) -> None:
    rng = np.random.default_rng(0)
    rule = SuccessRule(0.5, margin_logit=0.8)
    before = [_episode_paid(rule, _seated(rng, 3.0)) for _ in range(10)]
    _episode_paid(rule, [-4.0, *[6.5] * outlier_frames, -4.0])
    after = [_episode_paid(rule, _seated(rng, 3.0)) for _ in range(100)]
    assert min(before) > 10
    assert not any(after[:PASSED_OVER])
    assert min(after[PASSED_OVER:]) > 10


def test_first_and_rare_success_of_a_session_is_no_outlier_once_there_is_a_second() -> None:
    """Half way in looks like 1.5 on this connector, seated like 5: the bar that was found must not come down."""
    rng = np.random.default_rng(0)
    rule = SuccessRule(0.5, margin_logit=0.8)
    for _ in range(30):
        _episode_paid(rule, _seated(rng, 1.5))
    assert _episode_paid(rule, _seated(rng, 5.0)) > 10
    assert [_episode_paid(rule, _seated(rng, 1.5)) for _ in range(PASSED_OVER)] == [0] * PASSED_OVER
    assert _episode_paid(rule, _seated(rng, 1.5)) > 0, "seen once alone, it passes for an outlier by now"
    assert _episode_paid(rule, _seated(rng, 5.0)) > 10
    assert [_episode_paid(rule, _seated(rng, 1.5)) for _ in range(200)] == [0] * 200


def test_episodes_that_never_look_seated_do_not_make_an_outlier_of_the_best() -> None:
    rule = SuccessRule(0.5, margin_logit=0.8)
    _episode_paid(rule, [5.0] * 4)
    for _ in range(5 * PASSED_OVER):
        _episode_paid(rule, [-4.0, -3.0, -0.1, -0.1])
    assert _episode_paid(rule, [2.0] * 4) == 0


class _HighestOfAll:
    """The rule as it was before there were outliers: what is near the highest frame of all is typical."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def typical(self, score: float) -> float:
        self.scores.append(score)
        highest = max(self.scores)
        return float(np.median([score for score in self.scores if score >= highest - 1.0]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("episodes", [PASSED_OVER, 60])
def test_without_outliers_typical_is_of_the_frames_near_the_highest_of_all(seed: int, episodes: int) -> None:
    """In a session so short, or in one whose best episodes are like each other, seldom or often as they come."""
    rng = np.random.default_rng(seed)
    best, expected = SessionBest(), _HighestOfAll()
    for episode in range(episodes):
        best.begin_episode()
        lone = episodes == PASSED_OVER and rng.uniform() < 0.1
        level = rng.uniform(4.0, 9.0) if lone else 3.0 if episode % 7 == 3 else rng.uniform(-4.0, 2.0)
        for score in rng.uniform(level - 1.5, level, 15).tolist():
            best.take(score)
            assert best.typical == pytest.approx(expected.typical(score), abs=1e-12)


def test_long_session_is_remembered_by_a_bounded_number_of_frames() -> None:
    rng = np.random.default_rng(0)
    best = SessionBest()
    for _ in range(1_000):
        best.begin_episode()
        for score in rng.normal(3.0, 0.2, 15).tolist():
            best.take(score)
    assert best.typical == pytest.approx(3.0, abs=0.05)
    assert len(best._frames) < 1024


def test_before_any_frame_no_bar_is_passed() -> None:
    assert SessionBest().typical == -np.inf
    assert SuccessRule(-np.inf).next(1.0) is False


def test_one_bright_frame_alone_does_not_raise_the_bar() -> None:
    rule = SuccessRule(1.0, margin_logit=0.5)
    assert [rule.next(logit) for logit in (2.0, 9.0, 2.0, 2.0)] == [False, True, True, True]


def test_frames_that_look_the_same_are_a_plug_at_rest_where_that_is_likelier() -> None:
    """Seated plugs of one session look like 4, or like 1.3 on the other side of their play."""
    for still in (True, False):
        rule = SuccessRule(0.5, margin_logit=1.0, still=still)
        for _ in range(20):
            rule.next(4.0)
        rule.begin_episode()
        resting = [rule.next(logit) for logit in (1.32, 1.3, 1.28, 1.3, 1.5, 1.3, 1.3, -0.5, -0.5, -0.5, -0.5)]
        assert resting == [False, False, still, still, *[False] * 7]
        rule.begin_episode()
        assert [rule.next(1.3) for _ in range(3)] == [False, False, still], "no frame of another episode counts"


@pytest.mark.parametrize("margin", [NEVER, 0.7])
@pytest.mark.parametrize("still", [True, False])
def test_rule_and_scores_agree_on_random_episodes(margin: float, still: bool) -> None:
    rng = np.random.default_rng(0)
    steps = [*range(20), *range(8), *range(10, 22), *range(20)]
    data = _episode([False] * 60, episodes=list(np.repeat([0, 1, 2], 20)), steps=steps)
    domain = np.repeat([0, 0, 1], 20)
    data = replace(data, domain=domain, names=("a", "b"), series=("a", "b"), mounts=("", ""), splits=("train",) * 2)
    logit = np.repeat(rng.normal(0, 1, 20), 3).astype(np.float32) + rng.normal(0, 0.02, 60).astype(np.float32)
    rule, seen = SuccessRule(0.2, margin, still=still), []
    for row in range(60):
        if row == 40:
            rule = SuccessRule(0.2, margin, still=still)
        if row in (0, 20, 28, 40):
            rule.begin_episode()
        seen.append(rule.next(float(logit[row])))
    scores = score_frames(logit, data, np.arange(60))
    assert seen == scores.successes(0.2, margin, still=still).tolist()
    assert any(seen) and scores.still.any()


def test_still_frames_count_only_where_few_of_them_are_false() -> None:
    rng = np.random.default_rng(0)
    data = _episode([False] * 400 + [True] * 400, episodes=[0] * 400 + [1] * 400, steps=[*range(400)] * 2)
    seated = np.concatenate([np.full(200, 4.0), np.full(200, 1.3)]) + rng.normal(0, 0.01, 400)
    moving, jammed = rng.uniform(-3.0, 2.0, 400), np.full(400, 1.0) + rng.normal(0, 0.01, 400)
    config, rows = CalibrationConfig(false_positive_rate=0.01), np.arange(800)
    honest = calibrate(np.concatenate([moving, seated]).astype(np.float32), data, rows, config)
    assert honest.still and honest.recall > 0.9 and honest.false_positive_rate <= 0.01
    lied_to = calibrate(np.concatenate([jammed, seated]).astype(np.float32), data, rows, config)
    assert not lied_to.still and lied_to.false_positive_rate <= 0.01


def test_each_connector_is_a_session_of_its_own() -> None:
    data = draw_domains(2, 1, seed=0)
    logit = np.concatenate([np.full(10, 5.0), np.full(10, 1.0)]).astype(np.float32)
    typical = score_frames(logit, data, np.arange(20)).typical
    assert typical[9] == 5.0 and typical[19] == 1.0


def _two_classes(apart: float) -> tuple[LabelledImages, np.ndarray]:
    rng = np.random.default_rng(0)
    data = _episode([False] * 1000 + [True] * 1000, episodes=[0] * 1000 + [1] * 1000, steps=[*range(1000)] * 2)
    return data, np.concatenate([rng.normal(1, 2, 1000), rng.normal(1 + apart, 2, 1000)]).astype(np.float32)


def test_threshold_is_the_lowest_with_the_wanted_share_of_false_positives() -> None:
    data, logit = _two_classes(apart=4)
    found = calibrate(logit, data, np.arange(2000), CalibrationConfig(false_positive_rate=0.01, margins=(NEVER,)))
    scores = score_frames(logit, data, np.arange(2000))
    negative, positive = scores.score[scores.negative], scores.score[scores.positive]
    assert found.false_positive_rate <= 0.01 < (negative > found.threshold_logit - 0.2).mean()
    assert found.recall == (positive > found.threshold_logit).mean() > 0.5
    assert found.threshold == pytest.approx(1 / (1 + math.exp(-found.threshold_logit / found.temperature)))
    assert found.series == ("train-series-0",)
    assert found.margin_logit == NEVER


def test_margin_helps_where_connectors_differ_by_their_level() -> None:
    """Two connectors, one of them three logits above the other: no threshold alone fits both."""
    rng = np.random.default_rng(0)
    data = draw_domains(2, 40, seed=0)
    logit = (np.where(data.label, 4.0, 0.0) + 3.0 * data.domain + rng.normal(0, 0.3, len(data))).astype(np.float32)
    rows = np.arange(len(data))
    plain = calibrate(logit, data, rows, CalibrationConfig(margins=(NEVER,), false_positive_rate=0.001))
    chosen = calibrate(logit, data, rows, CalibrationConfig(false_positive_rate=0.001))
    assert chosen.margin_logit < NEVER
    assert chosen.false_positive_rate <= 0.001
    assert chosen.recall >= plain.recall


def test_threshold_is_never_below_its_floor() -> None:
    data = _episode([False] * 50 + [True] * 50, episodes=[0] * 50 + [1] * 50, steps=[*range(50)] * 2)
    logit = np.where(data.label, 4.0, -4.0).astype(np.float32)
    found = calibrate(logit, data, np.arange(100), CalibrationConfig(lowest_threshold=0.9))
    assert found.threshold == pytest.approx(0.9)
    assert (found.recall, found.false_positive_rate) == (1.0, 0.0)


def test_hopeless_logits_give_a_threshold_that_still_is_a_number() -> None:
    data = _episode([False] * 50 + [True] * 50, episodes=[0] * 50 + [1] * 50, steps=[*range(50)] * 2)
    logit = np.where(data.label, -500.0, 500.0).astype(np.float32)
    found = calibrate(logit, data, np.arange(100), CalibrationConfig())
    assert math.isfinite(found.threshold_logit)
    assert found.recall == 0.0


def test_series_without_inserted_frames_are_refused() -> None:
    data = _episode([False] * 10)
    with pytest.raises(ConfigurationError, match="0 pairs of inserted and 9 of not inserted"):
        calibrate(np.zeros(10, np.float32), data, np.arange(10), CalibrationConfig())
