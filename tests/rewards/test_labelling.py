"""A classifier beside a person's labels: proposals, disagreements, thresholds chosen on held-out labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from drawn_sockets import draw_domains
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.data.episodes import EpisodeContract, EpisodeLayout, EpisodeOutcome
from tenon.data.labels import Frames, LabelError
from tenon.data.store import Episode
from tenon.rewards.daib import Calibration, ClassifierConfig, RewardClassifier
from tenon.rewards.labelling import (
    Disagreement,
    disagreements,
    labelled_frames,
    precision_recall,
    propose,
    recalibrated,
)
from tenon.rewards.labelling.picture import curve_picture

SIZE_PX = 8
THRESHOLD = 1.0


@dataclass(frozen=True)
class Reader:
    """In a classifier's place: the logit of a picture is its first pixel, 100 being zero, in tenths."""

    calibration: Calibration
    config: ClassifierConfig = field(default_factory=lambda: ClassifierConfig(sees="plug"))
    version: str = "3f2a"

    def logits(self, images: NDArray[np.uint8], free: Any) -> NDArray[np.float32]:
        return (images[:, 0, 0, 0].astype(np.float32) - 100.0) / 10.0

    def logits_of(self, data: LabelledImages, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.logits(data.image[rows], None)


def reader(threshold_logit: float = THRESHOLD, margin_logit: float = 1e3, still: bool = False) -> RewardClassifier:
    calibration = Calibration(
        1.0, threshold_logit, 0.0, 1.0, frames=1, series=("s",), margin_logit=margin_logit, still=still
    )
    return cast(RewardClassifier, Reader(calibration))


def episode_of(logits: list[float], success: list[bool] | None = None, number: int = 0) -> Frames:
    """An episode whose pictures say these logits."""
    image = np.zeros((len(logits), SIZE_PX, SIZE_PX, 3), np.uint8)
    image[:, 0, 0, 0] = np.round(np.array(logits) * 10.0 + 100.0).astype(np.uint8)
    contract = EpisodeContract(number=number, robot="sim", task="usb")
    layout = EpisodeLayout(Path("episodes"), f"episode_{number:06d}")
    episode = Episode(layout, contract, EpisodeOutcome(result="timeout"), {}, 0, 0, 0)
    count = len(logits)
    return Frames(
        episode=episode,
        image=image,
        step=np.arange(count),
        time_s=0.1 * np.arange(count),
        success=np.array(success if success is not None else [False] * count),
        logit=np.full(count, np.nan, np.float32),
    )


def test_a_proposal_begins_at_the_first_of_two_frames_that_look_done() -> None:
    frames = episode_of([-3.0, -3.0, -3.0, 4.0, -3.0, 3.0, 4.0, 4.0, -2.0])
    (proposal,) = propose(reader(), [frames])
    assert proposal.marks == (5, 8) and proposal.version == "3f2a"
    assert proposal.logit.tolist() == pytest.approx([-3, -3, -3, 4, -3, 3, 4, 4, -2])
    assert proposal.probability[0] == pytest.approx(1 / (1 + np.exp(3.0)))


def test_frames_far_below_the_best_of_all_episodes_are_no_success() -> None:
    good, poor = episode_of([-3.0] * 3 + [8.0, 8.0]), episode_of([-3.0] * 3 + [2.0, 2.0], number=1)
    assert [p.marks for p in propose(reader(margin_logit=1.5), [good, poor])] == [(3,), ()]
    assert [p.marks for p in propose(reader(), [good, poor])] == [(3,), (3,)]


def test_frames_that_look_the_same_are_proposed_too_where_they_count() -> None:
    resting = episode_of([-3.0] * 3 + [8.0, 8.0, -3.0, 1.0, 1.0, 1.0, -3.0])
    assert propose(reader(margin_logit=1.5, still=True), [resting])[0].marks == (3, 5, 6, 9)
    assert propose(reader(margin_logit=1.5), [resting])[0].marks == (3, 5)


def test_where_no_episode_begins_with_a_free_plug_it_says_what_to_do() -> None:
    with pytest.raises(LabelError, match="mark the frames of one that does as no success"):
        propose(reader(), [episode_of([4.0] * 5, [True] * 5)])
    known = [np.zeros(5, np.bool_)]
    assert len(propose(reader(), [episode_of([4.0] * 5, [True] * 5)], known)) == 1


def test_the_surest_disagreement_comes_first() -> None:
    first = episode_of([-3.0, -3.0, -3.0, 2.0, 3.0, -3.0])
    second = episode_of([-3.0, -3.0, -3.0, -3.0, 7.0, 9.0], number=1)
    labels = [np.array([False] * 6), np.array([True] + [False] * 5)]
    classifier = reader()
    found = disagreements(propose(classifier, [first, second], [labels[0], np.zeros(6, np.bool_)]), labels, classifier)
    assert [(one.episode, one.first, one.frames, one.frame, one.labelled) for one in found] == [
        (1, 4, 2, 5, False),
        (1, 0, 1, 0, True),
        (0, 3, 2, 4, False),
    ]
    assert isinstance(found[0], Disagreement) and found[0].doubt == pytest.approx(8.0)
    assert found[0].probability == pytest.approx(1 / (1 + np.exp(-9.0)))


def test_labels_that_agree_leave_nothing_to_look_at() -> None:
    frames = episode_of([-3.0, -3.0, -3.0, 2.0, 3.0])
    proposals = propose(reader(), [frames])
    assert disagreements(proposals, [proposals[0].success], reader()) == []


@pytest.fixture
def held_out() -> LabelledImages:
    """Two episodes: the pairs' lower logits are 5 and 3 where inserted, 4 and below where not."""
    first = episode_of([-3.0, -2.0, 6.0, 5.0])
    second = episode_of([-3.0, 4.0, 4.5, -1.0, 3.0, 3.5], number=1)
    success = [np.array([False, False, True, True]), np.array([False, False, False, False, True, True])]
    return labelled_frames([first, second], success, name="mine", series="mine")


def brute_force(
    data: LabelledImages, logit: NDArray[np.float32], threshold: float, *, still: bool
) -> tuple[float, float]:
    """Precision and recall of "both frames are above the threshold, or the last three look the same", one by one."""
    called = right = found = positive = 0
    for k in range(1, len(logit)):
        if data.episode[k] != data.episode[k - 1]:
            continue
        last = logit[k - 2 : k + 1] if k > 1 and data.episode[k - 2] == data.episode[k] else logit[:0]
        rests = len(last) == 3 and last.min() > 0.0 and last.max() - last.min() < 0.1
        is_called = min(logit[k], logit[k - 1]) > threshold or (still and rests)
        is_positive = bool(data.label[k] and data.label[k - 1])
        called, positive = called + is_called, positive + is_positive
        right, found = right + (is_called and bool(data.label[k])), found + (is_called and is_positive)
    return right / called if called else 1.0, found / positive


@pytest.mark.parametrize("still", [False, True])
def test_precision_and_recall_are_those_counted_one_by_one(held_out: LabelledImages, still: bool) -> None:
    classifier = reader(still=still)
    curve = precision_recall(classifier, held_out, ["mine"])
    logit = classifier.logits_of(held_out, np.arange(len(held_out)))
    assert len(curve.precision) >= 5
    for threshold, precision, recall in zip(curve.threshold_logit, curve.precision, curve.recall, strict=True):
        assert (precision, recall) == pytest.approx(brute_force(held_out, logit, float(threshold), still=still))
        assert curve.at(float(threshold)) == (precision, recall)


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_any_threshold_has_the_figures_that_are_counted_one_by_one(seed: int, still: bool) -> None:
    """Off the curve, on a score, above and below all. Logits are in half steps, so that many are the same."""
    rng = np.random.default_rng(seed)
    drawn = [(rng.integers(-6, 13, 20) / 2.0, rng.random(20) < 0.5) for _ in range(4)]
    episodes = [episode_of(logits.tolist(), number=number) for number, (logits, _) in enumerate(drawn)]
    data = labelled_frames(episodes, [success for _, success in drawn], name="mine", series="mine")
    classifier = reader(still=still)
    curve = precision_recall(classifier, data, ["mine"])
    logit = classifier.logits_of(data, np.arange(len(data)))
    for threshold in (-9.0, *np.arange(-4.0, 7.0, 0.25), *rng.uniform(-4.0, 7.0, 20), 99.0):
        counted = brute_force(data, logit, float(threshold), still=still)
        assert curve.at(float(threshold)) == pytest.approx(counted), threshold


def test_nothing_is_found_above_all_scores_and_everything_between_the_kinds() -> None:
    frames = [episode_of([-2.0] * 11), episode_of([4.0] * 11, number=1)]
    data = labelled_frames(frames, [np.zeros(11, np.bool_), np.ones(11, np.bool_)], name="mine", series="mine")
    curve = precision_recall(reader(), data, ["mine"])
    assert curve.at(6.0) == curve.at(4.0) == (1.0, 0.0)
    assert curve.at(3.0) == curve.at(-2.0) == (1.0, 1.0)
    assert curve.at(-3.0) == (0.5, 1.0)


def test_where_the_threshold_decides_on_no_frame_there_is_no_curve_and_still_an_answer() -> None:
    """Where frames that look the same count, and no others are near the best."""
    frames = [episode_of([-2.0, 5.0, 5.0, 5.0]), episode_of([-2.0, -2.0, -2.0, -2.0], number=1)]
    data = labelled_frames(frames, [np.array([False, True, True, True]), np.zeros(4, np.bool_)], name="a", series="a")
    curve = precision_recall(reader(margin_logit=-1.0, still=True), data, ["a"])
    assert len(curve.score) == 0 and curve.at(0.0) == (1.0, 0.5)


def test_a_threshold_is_found_for_a_precision_or_the_best_there_is_is_told(held_out: LabelledImages) -> None:
    curve = precision_recall(reader(), held_out, ["mine"])
    chosen = curve.at_precision(1.0)
    assert 4.0 < chosen < 5.0 and curve.at(chosen) == (1.0, 0.5)
    curve.precision[:] = 0.5
    with pytest.raises(ConfigurationError, match=r"precision of 90\.0%: the best is 50\.0%"):
        curve.at_precision(0.9)


def test_a_person_may_choose_the_threshold_and_its_figures_are_those_of_the_labels(
    untaught: RewardClassifier,
) -> None:
    data = draw_domains(2, 4, seed=3, split="held-out")
    curve = precision_recall(untaught, data, data.names)
    chosen = float(curve.threshold_logit[len(curve.threshold_logit) // 2])
    changed = recalibrated(untaught, data, data.names, chosen)
    assert changed.calibration.threshold_logit == chosen
    assert changed.calibration.recall == pytest.approx(curve.at(chosen)[1])
    assert changed.calibration.margin_logit == untaught.calibration.margin_logit
    assert changed.calibration.series == ("held-out-series-0",) and changed.version != untaught.version
    by_itself = recalibrated(untaught, data, data.names)
    assert by_itself.calibration.false_positive_rate <= untaught.config.calibration.false_positive_rate


def test_labels_of_one_kind_only_are_refused(held_out: LabelledImages) -> None:
    alike = labelled_frames([episode_of([1.0] * 5)], [np.zeros(5, np.bool_)], name="mine", series="mine")
    with pytest.raises(ConfigurationError, match="some of both are needed"):
        precision_recall(reader(), alike, ["mine"])


def test_the_curve_is_drawn_with_the_threshold_in_it(held_out: LabelledImages) -> None:
    curve = precision_recall(reader(), held_out, ["mine"])
    low, high = (curve_picture(curve, logit, "mine") for logit in (1.0, 4.5))
    assert low.shape == (400, 900, 3) and low.dtype == np.uint8
    assert not np.array_equal(low, high)
