"""A classifier on disk, as a reward, over old data, and seen by a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenon.data.checkpoint import CheckpointError, OtherCheckpointError, load_checkpoint, save_checkpoint
from tenon.data.domains import LabelledImages
from tenon.data.prior import read_prior, write_prior
from tenon.data.transitions import (
    EnvironmentSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)
from tenon.rewards import RewardError, RewardObservation, RewardSession
from tenon.rewards.daib import (
    ClassifierConfig,
    ClassifierReward,
    RewardClassifier,
    audit,
    mean_audit,
    relabelled,
    train_classifier,
)
from tenon.rewards.daib.calibration import Calibration
from tenon.rewards.daib.classifier import METHOD
from tenon.rewards.daib.free_plug import EPISODES, FREE_STEPS, free_plug_of, learn_free_plug
from tenon.rewards.daib.hits import score_frames
from tenon.rewards.daib.saliency import Shown, contact_sheet, occlusion_map

SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=2, image=ImageSpec(height=32, width=32, channels=3)), action_size=1
)


def _certain(classifier: RewardClassifier, logit: float) -> RewardClassifier:
    """The same classifier with p_on at this logit."""
    calibration = Calibration(1.0, logit, 0.0, 1.0, 10, ("series",))
    return replace(classifier, calibration=calibration)


def test_classifier_comes_back_from_disk_exactly(
    tmp_path: Path, untaught: RewardClassifier, drawn: LabelledImages
) -> None:
    untaught.save(tmp_path / "classifier")
    again = RewardClassifier.load(tmp_path / "classifier")
    assert again.version == untaught.version
    assert (again.calibration, again.config, again.image) == (untaught.calibration, untaught.config, untaught.image)
    rows = np.arange(20)
    np.testing.assert_array_equal(again.logits_of(drawn, rows), untaught.logits_of(drawn, rows))
    assert load_checkpoint(tmp_path / "classifier").values["version"] == untaught.version


def test_version_changes_with_weights_and_with_the_threshold(untaught: RewardClassifier) -> None:
    assert _certain(untaught, 1.0).version != untaught.version
    network = untaught.networks[0]
    changed = type(network)(untaught.image, untaught.config)
    changed.load_state_dict({name: tensor + 1e-6 for name, tensor in network.state_dict().items()})
    assert replace(untaught, networks=(changed,)).version != untaught.version


def test_damaged_and_foreign_folders_are_refused(tmp_path: Path, untaught: RewardClassifier) -> None:
    folder = tmp_path / "classifier"
    untaught.save(folder)
    with pytest.raises(CheckpointError, match="cannot be written"):
        untaught.save(folder)
    tensors = folder / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="was cut off"):
        RewardClassifier.load(folder)
    with pytest.raises(CheckpointError, match="no checkpoint is here"):
        RewardClassifier.load(tmp_path / "nothing")


def test_logits_do_not_depend_on_the_company(untaught: RewardClassifier, drawn: LabelledImages) -> None:
    rows, free = drawn.rows(drawn.names[:1]), free_plug_of(drawn, drawn.names[0])
    together = untaught.logits(drawn.image[rows], free)
    alone = [untaught.logits(drawn.image[rows[i] : rows[i] + 1], free)[0] for i in (0, 7, 59)]
    np.testing.assert_allclose(together[[0, 7, 59]], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together, untaught.logits_of(drawn, rows), rtol=1e-4, atol=1e-5)


def test_picture_of_another_size_is_refused(untaught: RewardClassifier) -> None:
    with pytest.raises(RewardError, match="this classifier judges"):
        ClassifierReward(untaught).reward(RewardObservation(image=np.zeros((64, 64, 3), np.uint8)))
    with pytest.raises(RewardError, match="none was measured"):
        ClassifierReward(untaught).reward(RewardObservation())


def test_reward_pays_the_second_hit_and_says_logit_and_version(
    untaught: RewardClassifier, drawn: LabelledImages
) -> None:
    free = learn_free_plug(drawn.image[:FREE_STEPS])
    logits = untaught.logits(drawn.image, free)
    middle = float(np.median(logits))
    high, low = drawn.image[np.argmax(logits)], drawn.image[np.argmin(logits)]
    reward = ClassifierReward(_certain(untaught, middle))
    reward.begin_episode()
    for image in drawn.image[:FREE_STEPS]:
        reward.reward(RewardObservation(image=image))
    seen = [reward.reward(RewardObservation(image=image)) for image in (low, high, high, high, low, high)]
    assert [result.value for result in seen] == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert [result.success for result in seen] == [False, False, True, True, False, False]
    assert seen[1].logit == pytest.approx(float(logits.max()), rel=1e-4)
    assert {result.version for result in seen} == {_certain(untaught, middle).version}


def test_reward_begins_each_episode_without_a_hit_and_learns_the_plug_of_the_first_ones(
    untaught: RewardClassifier, drawn: LabelledImages
) -> None:
    reward, taken = ClassifierReward(_certain(untaught, -1e3)), []
    for episode in range(EPISODES + 2):
        reward.begin_episode()
        for step in range(FREE_STEPS + 2):
            image = drawn.image[10 * episode + step]
            if episode < EPISODES and step < FREE_STEPS:
                taken.append(image)
            judged = reward.reward(RewardObservation(image=image))
            assert judged.success is (step >= (FREE_STEPS if episode < EPISODES else 1))
            expected = untaught.logits(image[None], learn_free_plug(np.stack(taken)))[0]
            assert judged.logit == pytest.approx(float(expected), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("live", [True, False])
def test_picture_that_a_live_camera_repeats_is_no_further_frame_and_one_that_is_drawn_again_is(
    tmp_path: Path, untaught: RewardClassifier, drawn: LabelledImages, monkeypatch: pytest.MonkeyPatch, *, live: bool
) -> None:
    def paid(shown: list[int], classifier: RewardClassifier) -> list[bool]:
        """Past the pictures of a free plug, one of the last of which is the first that is shown."""
        reward = ClassifierReward(classifier)
        reward.begin_session(RewardSession(memory=tmp_path / "none", of="", live_camera=live))
        reward.begin_episode()
        seen = [reward.reward(RewardObservation(image=drawn.image[row])) for row in (*range(FREE_STEPS), *shown)]
        return [result.success for result in seen[FREE_STEPS:]]

    monkeypatch.setattr(RewardClassifier, "logits", lambda *arguments: np.ones(1, np.float32))
    by_hits = _certain(untaught, 0.5)
    assert paid([3, 3, 4, 5, 5, 6], by_hits) == [True, not live, True, True, not live, True]
    by_rest = replace(untaught, calibration=replace(by_hits.calibration, threshold_logit=1e3, still=True))
    hangs, moves = [2] * 10, [2, 3, 3, 4]
    assert any(paid(hangs, by_rest)) is not live
    # Of pictures 2, 3 and 4, the last is the third frame that looks the same.
    assert paid(moves, by_rest)[-2:] == ([False, True] if live else [True, True])


def test_bar_of_a_session_does_not_outlive_a_change_of_the_plug(
    untaught: RewardClassifier, drawn: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While little is known of the plug, logits are no measure for later ones."""
    said = iter([0.0, 0.0, 0.0, 9.0, 9.0, *[0.0, 0.0, 0.0, 2.0, 2.0] * EPISODES])
    monkeypatch.setattr(RewardClassifier, "logits", lambda *arguments: np.array([next(said)], np.float32))
    calibration = Calibration(1.0, 1.0, 0.0, 1.0, 10, ("series",), margin_logit=0.5)
    reward, successes = ClassifierReward(replace(untaught, calibration=calibration)), []
    for _ in range(EPISODES + 1):
        reward.begin_episode()
        steps = range(FREE_STEPS + 2)
        successes.append([reward.reward(RewardObservation(image=drawn.image[step])).success for step in steps])
    assert successes == [[False, False, False, False, True]] * (EPISODES + 1)


def test_classifier_of_pictures_alone_needs_no_free_plug(drawn: LabelledImages, small: ClassifierConfig) -> None:
    config = small.model_copy(update={"sees": "picture", "steps": 2})
    alone = train_classifier(replace(drawn, offset_m=np.zeros_like(drawn.offset_m)), config, seed=0)
    first, other = (alone.logits(drawn.image[:5], learn_free_plug(drawn.image[k : k + 2])) for k in (0, 70))
    np.testing.assert_array_equal(first, other)


def test_classifier_of_an_earlier_rule_is_refused_with_what_to_do(tmp_path: Path, untaught: RewardClassifier) -> None:
    untaught.save(tmp_path / "own")
    stored = load_checkpoint(tmp_path / "own", method=METHOD)
    calibration = {key: value for key, value in stored.values["calibration"].items() if key != "still"}
    save_checkpoint(tmp_path / "old", replace(stored, values={**stored.values, "calibration": calibration}))
    with pytest.raises(OtherCheckpointError, match="tenon train daib"):
        RewardClassifier.load(tmp_path / "old")


def _transitions(drawn: LabelledImages, count: int = 30) -> list[Transition]:
    return [
        Transition(
            session=drawn.names[drawn.domain[row]],
            episode=int(drawn.episode[row]),
            step=int(drawn.step[row]),
            observation=Observation(np.zeros(2, np.float32), drawn.image[max(row - 1, 0)]),
            action=np.zeros(1, np.float32),
            reward=-7.0,
            next_observation=Observation(np.zeros(2, np.float32), drawn.image[row]),
            terminated=False,
            truncated=bool(drawn.step[row] == 9),
        )
        for row in range(count)
    ]


def test_old_data_are_paid_as_the_reward_would_have_paid_them(
    untaught: RewardClassifier, drawn: LabelledImages
) -> None:
    old = _transitions(drawn)
    logits = [transition.reward_logit for transition in relabelled(old, untaught)]
    classifier = _certain(untaught, float(np.median(logits)))
    reward = ClassifierReward(classifier)
    new = list(relabelled(old, classifier))
    for before, after in zip(old, new, strict=True):
        if before.step == 0:
            reward.begin_episode()
            reward.reward(RewardObservation(image=before.observation.image))
        expected = reward.reward(RewardObservation(image=before.next_observation.image))
        assert (after.reward, after.success) == (expected.value, expected.success)
        assert after.reward_logit == pytest.approx(expected.logit, rel=1e-4, abs=1e-5)
        assert after.reward_version == classifier.version
        assert after.observation is before.observation
    assert 0.0 < np.mean([after.reward for after in new]) < 1.0
    assert {before.reward for before in old} == {-7.0}


def test_gap_in_an_episode_breaks_a_row_of_frames(
    untaught: RewardClassifier, drawn: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = _certain(untaught, -1e3)
    kept = [transition for transition in _transitions(drawn, 10) if transition.step != 5]
    assert [t.step for t in relabelled(kept, always) if not t.success] == [0, 1]
    # Three frames in a row, by a rule that knows no others: those across the gap are not in a row.
    still = replace(always, calibration=replace(always.calibration, threshold_logit=1e3, still=True))
    monkeypatch.setattr(RewardClassifier, "logits", lambda *arguments: np.ones(1, np.float32))
    assert [t.step for t in relabelled(kept, still) if not t.success] == [0, 1, 2, 6]


def test_relabelling_sees_the_picture_before_an_episodes_first_action_too(
    untaught: RewardClassifier, drawn: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[np.ndarray] = []

    def logits(self: RewardClassifier, images: np.ndarray, free: object) -> np.ndarray:
        judged.append(images[0])
        return np.zeros(1, np.float32)

    monkeypatch.setattr(RewardClassifier, "logits", logits)
    old = _transitions(drawn, 20)
    list(relabelled(old, untaught))
    assert [len(judged), len(old)] == [22, 20]
    for episode in (0, 1):
        np.testing.assert_array_equal(judged[11 * episode], old[10 * episode].observation.image)
        np.testing.assert_array_equal(judged[11 * episode + 1], old[10 * episode].next_observation.image)


def test_relabelled_data_lie_beside_the_old_ones(
    tmp_path: Path, untaught: RewardClassifier, drawn: LabelledImages
) -> None:
    write_prior(tmp_path / "old", SPEC, _transitions(drawn))
    write_prior(tmp_path / "new", SPEC, relabelled(read_prior(tmp_path / "old", SPEC), untaught))
    assert {t.reward for t in read_prior(tmp_path / "old", SPEC)} == {-7.0}
    stored = list(read_prior(tmp_path / "new", SPEC))
    assert {t.reward_version for t in stored} == {untaught.version}
    expected = [transition.reward_logit for transition in relabelled(_transitions(drawn), untaught)]
    np.testing.assert_allclose([t.reward_logit for t in stored], expected, rtol=1e-4)


def test_transition_without_a_picture_is_refused(untaught: RewardClassifier, drawn: LabelledImages) -> None:
    blind = replace(_transitions(drawn, 1)[0], next_observation=Observation(np.zeros(2, np.float32)))
    with pytest.raises(TransitionError, match="holds no picture to judge"):
        list(relabelled([blind], untaught))


def test_audit_is_the_shares_counted_by_hand(untaught: RewardClassifier, drawn: LabelledImages) -> None:
    classifier = _certain(untaught, float(np.median(untaught.logits_of(drawn, np.arange(len(drawn))))))
    name = drawn.names[4]
    (entry,) = audit(classifier, drawn, [name])
    rows = drawn.rows([name])
    logit = classifier.logits_of(drawn, rows)
    right = {True: [], False: []}  # type: dict[bool, list[bool]]
    false_episodes = set()
    for i, row in enumerate(rows):
        label = bool(drawn.label[row])
        right[label].append((logit[i] > 0) == label)
        hit = i > 0 and drawn.step[row] > 0 and min(logit[i - 1 : i + 1]) > classifier.calibration.threshold_logit
        if hit and not label:
            false_episodes.add(int(drawn.episode[row]))
    assert entry.accuracy == pytest.approx((np.mean(right[True]) + np.mean(right[False])) / 2)
    assert entry.false_episodes == pytest.approx(len(false_episodes) / 6)
    scores = score_frames(logit, drawn, rows)
    negative, positive = scores.score[scores.negative], scores.score[scores.positive]
    threshold = classifier.calibration.threshold_logit
    assert entry.recall == pytest.approx((positive > threshold).mean())
    assert entry.false_positive_rate == pytest.approx((negative > threshold).mean())
    own = entry.false_positives_at_recall
    assert own in [float((negative >= value).mean()) for value in positive if (positive >= value).mean() >= 0.9]


def test_mean_of_audits_weighs_connectors_alike(untaught: RewardClassifier, drawn: LabelledImages) -> None:
    entries = audit(untaught, drawn, drawn.names)
    mean = mean_audit(entries)
    assert mean.accuracy == pytest.approx(sum(entry.accuracy for entry in entries) / 12)
    assert (mean.name, mean.series, mean.frames) == ("mean of 12", "6 series", len(drawn))


def test_occlusion_finds_the_patch_that_decides(untaught: RewardClassifier) -> None:
    """A stand-in that reads one corner: what covers it moves the logit, nothing else does."""

    class Corner:
        def logits(self, images: np.ndarray, free: object) -> np.ndarray:
            return np.asarray(images[:, :4, :4].mean(axis=(1, 2, 3)), np.float32)

    image = np.zeros((32, 32, 3), np.uint8)
    image[:4, :4] = 255
    heat = occlusion_map(Corner(), image, learn_free_plug(image[None]))  # type: ignore[arg-type]
    assert heat[0, 0] > 100.0
    assert not heat[12:].any() and not heat[:, 12:].any()


def test_contact_sheet_is_one_picture_of_all(untaught: RewardClassifier, drawn: LabelledImages) -> None:
    free = free_plug_of(drawn, drawn.names[0])
    pictures = [[Shown("inserted", drawn.image[k], free) for k in (9, 1)]] * 3
    sheet = contact_sheet(untaught, pictures)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (3 * (18 + 4 * 32 + 4), 2 * (4 * 64 + 4), 3)
