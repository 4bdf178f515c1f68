"""`tenon train daib` and `tenon reward` on drawn sockets, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_sockets import draw_domains

from tenon.cli import main as entry
from tenon.cli import train_reward
from tenon.data.domains import LabelledImages
from tenon.data.prior import read_prior, write_prior
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec, Transition
from tenon.rewards.daib import RewardClassifier

SMALL = (
    "steps=3",
    "members=1",
    "batch_size=8",
    "bottleneck.channels=[2,2,2]",
    "bottleneck.specific_channels=[2,2,2]",
    "bottleneck.dense_size=4",
)
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=2, image=ImageSpec(height=32, width=32, channels=3)), action_size=1
)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> LabelledImages:
    """What lies in every folder: six connectors, the last two held out."""
    drawn = draw_domains(6, 4, seed=0)
    object.__setattr__(drawn, "splits", ("train",) * 4 + ("held-out",) * 2)
    monkeypatch.setattr(train_reward, "load_pictures", lambda folder: drawn)
    monkeypatch.setattr("tenon.cli.reward.load_pictures", lambda folder: drawn)
    return drawn


def _train(out: Path, *arguments: str) -> int:
    return entry.main(["train", "daib", "--data", "collected", "--out", str(out), *arguments, "--set", *SMALL])


def test_training_writes_a_classifier_and_its_audit(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(tmp_path / "classifier", "--variant", "erm") == 0
    told = capsys.readouterr()
    classifier = RewardClassifier.load(tmp_path / "classifier")
    assert f"version {classifier.version}" in told.err
    assert "p_on" in told.err
    assert classifier.config.variant == "erm"
    assert classifier.config.encoder.specific_size == 0
    assert classifier.config.steps == 3
    numbers = json.loads((tmp_path / "classifier" / train_reward.AUDIT_FILE).read_text())
    assert [entry["name"] for entry in numbers["connectors"]] == list(data.names[4:])
    assert numbers["version"] == classifier.version


def test_training_again_with_the_same_seed_gives_the_same_version(data: LabelledImages, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert _train(tmp_path / name, "--seed", str(seed)) == 0
    first, again, other = (RewardClassifier.load(tmp_path / name).version for name in "abc")
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("daib",), "--data DATA is needed"),
        (("daib", "--data", "collected", "--variant", "dain"), "variant: Input should be 'daib', 'no-kl'"),
        (("daib", "--data", "collected", "--set", "step=3"), "step: unknown key"),
        (("daib", "--data", "collected", "--seeds", "5", "--updates", "9"), "--seeds, --updates: no matter to"),
        (("iql", "--env", "drawer", "--steps", "5", "--variant", "erm"), "--variant: of the reward classifier"),
        (("iql", "--env", "drawer", "--steps", "5", "--seed", "3"), "--seed: of the reward classifier"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    arguments: tuple[str, ...],
    message: str,
    data: LabelledImages,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert entry.main(["train", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_classifier_is_never_written_over(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(tmp_path / "classifier") == 0
    version = RewardClassifier.load(tmp_path / "classifier").version
    assert _train(tmp_path / "classifier", "--seed", "3") == 2
    assert "is there already" in capsys.readouterr().err
    assert RewardClassifier.load(tmp_path / "classifier").version == version


def test_audit_and_saliency_of_a_classifier(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = tmp_path / "classifier"
    assert _train(classifier) == 0
    numbers = tmp_path / "audit.json"
    options = ("--data", "collected")
    assert entry.main(["reward", "audit", str(classifier), *options, "--split", "all", "--json", str(numbers)]) == 0
    assert len(json.loads(numbers.read_text())["connectors"]) == 6
    assert "mean of 6" in capsys.readouterr().out
    picture = tmp_path / "seen.png"
    look = ["reward", "saliency", str(classifier), *options, "--pictures", "2", "--out", str(picture), "--connector"]
    assert entry.main([*look, data.names[0]]) == 0
    assert cv2.imread(str(picture)).shape[0] == 2 * (18 + 4 * 32 + 4)
    assert entry.main([*look, "nothing"]) == 2
    assert data.names[3] in capsys.readouterr().err


def test_folder_without_a_classifier_is_refused(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(["reward", "audit", str(tmp_path), "--data", "collected"]) == 1
    assert "no checkpoint is here" in capsys.readouterr().err


def _replay(folder: Path, data: LabelledImages) -> Path:
    def transition(step: int) -> Transition:
        before, after = (Observation(np.zeros(2, np.float32), data.image[step + k]) for k in (0, 1))
        return Transition("old", 0, step, before, np.zeros(1, np.float32), -7.0, after, False, step == 4)

    write_prior(folder, SPEC, (transition(step) for step in range(5)))
    return folder


def test_relabelling_writes_a_new_replay_and_leaves_the_old_one(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(tmp_path / "classifier") == 0
    old, new = _replay(tmp_path / "old", data), tmp_path / "new"
    command = ["reward", "relabel", str(tmp_path / "classifier"), "--data", str(old), "--out", str(new)]
    assert entry.main(command) == 0
    version = RewardClassifier.load(tmp_path / "classifier").version
    assert [t.reward_version for t in read_prior(new, SPEC)] == [version] * 5
    assert [t.reward for t in read_prior(old, SPEC)] == [-7.0] * 5
    assert entry.main(command) == 2
    assert "is there already" in capsys.readouterr().err
