"""What a session teaches its reward outlives the process: a resumed session judges by the same plug and bar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.rewards import RewardError, RewardObservation, RewardResult, RewardSession
from tenon.rewards.daib import ClassifierReward, RewardClassifier
from tenon.rewards.daib.calibration import Calibration
from tenon.rewards.daib.free_plug import EPISODES
from tenon.rewards.daib.hits import PASSED_OVER, SessionBest

STEPS = 8


@pytest.fixture(scope="module")
def classifier(untaught: RewardClassifier) -> RewardClassifier:
    """Whose bar is near the best frames, so that what was seen before decides."""
    return replace(untaught, calibration=Calibration(1.0, -1e3, 0.0, 1.0, 10, ("series",), margin_logit=0.01))


def _session(folder: Path, of: str = "europlug") -> RewardSession:
    return RewardSession(memory=folder / "reward.safetensors", of=of, live_camera=False)


def _episode(reward: ClassifierReward, pictures: NDArray[np.uint8]) -> list[RewardResult]:
    reward.begin_episode()
    seen = [reward.reward(RewardObservation(image=picture)) for picture in pictures]
    reward.end_episode()
    return seen


def _pictures(drawn: LabelledImages, episode: int) -> NDArray[np.uint8]:
    return drawn.image[10 * episode : 10 * episode + STEPS]


@pytest.mark.parametrize("done", [1, EPISODES - 1, EPISODES, EPISODES + 2])
def test_resumed_session_judges_as_one_that_was_never_stopped(
    tmp_path: Path, classifier: RewardClassifier, drawn: LabelledImages, done: int
) -> None:
    total = EPISODES + 6
    whole = ClassifierReward(classifier)
    expected = [_episode(whole, _pictures(drawn, episode)) for episode in range(total)]
    first = ClassifierReward(classifier)
    assert first.begin_session(_session(tmp_path)) == 0
    seen = [_episode(first, _pictures(drawn, episode)) for episode in range(done)]
    # Killed within the next episode, which is done anew.
    first.begin_episode()
    first.reward(RewardObservation(image=drawn.image[-1]))
    resumed = ClassifierReward(classifier)
    assert resumed.begin_session(_session(tmp_path)) == done
    seen += [_episode(resumed, _pictures(drawn, episode)) for episode in range(done, total)]
    assert seen == expected
    anew = ClassifierReward(classifier)
    assert [_episode(anew, _pictures(drawn, episode)) for episode in range(done, total)] != expected[done:]


def test_outlier_is_remembered_with_the_episodes_that_passed_it_over() -> None:
    rng = np.random.default_rng(0)
    best, again = SessionBest(), SessionBest()
    for level in (3.0, 6.5, *[3.0] * PASSED_OVER):
        best.begin_episode()
        for score in rng.normal(level, 0.1, 5).tolist():
            best.take(score)
    again.recall(best.memory)
    for one in (best, again):
        assert one.typical > 6.0
        one.begin_episode()
        assert one.typical < 4.0


def test_memory_of_another_classifier_or_of_another_connector_is_left_aside(
    tmp_path: Path, classifier: RewardClassifier, drawn: LabelledImages
) -> None:
    reward = ClassifierReward(classifier)
    reward.begin_session(_session(tmp_path))
    _episode(reward, _pictures(drawn, 0))
    other = replace(classifier, calibration=replace(classifier.calibration, threshold_logit=0.0))
    assert ClassifierReward(other).begin_session(_session(tmp_path)) == 0
    assert ClassifierReward(classifier).begin_session(_session(tmp_path, of="nema15")) == 0
    assert ClassifierReward(classifier).begin_session(_session(tmp_path)) == 1


def test_memory_that_was_cut_off_is_refused_with_what_to_do(
    tmp_path: Path, classifier: RewardClassifier, drawn: LabelledImages
) -> None:
    reward = ClassifierReward(classifier)
    reward.begin_session(_session(tmp_path))
    _episode(reward, _pictures(drawn, 0))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match=r"reward\.safetensors: .* cannot be read: .*remove it"):
        ClassifierReward(classifier).begin_session(_session(tmp_path))


def test_memory_that_cannot_be_written_is_an_error_that_says_so(
    tmp_path: Path, classifier: RewardClassifier, drawn: LabelledImages
) -> None:
    reward = ClassifierReward(classifier)
    reward.begin_session(_session(tmp_path / "missing"))
    with pytest.raises(RewardError, match=r"cannot be written.*free some space"):
        _episode(reward, _pictures(drawn, 0))
