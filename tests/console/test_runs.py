"""What lies below the folder of runs, and labels that are kept beside it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.console import runs
from tenon.console.comparison import compare, comparisons, threshold_of, threshold_picture
from tenon.console.labelling import EpisodeLabelling, episodes_to_label
from tenon.data.checkpoint import Checkpoint, CheckpointFolder
from tenon.data.encode import MessageEncoder, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.labels import LabelError, LabelStore, StaleLabelError
from tenon.data.marks import mark_episode
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import EpisodeStore
from tenon.data.transitions import Observation, Transition
from tenon.rewards.daib import RewardClassifier
from tenon_session.testing.sessions import constant_classifier

ROOT = Path(__file__).parents[2]
SHARE = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
TOPIC = TopicSpec("/transition", "tenon_msgs/msg/Transition", full_definition("tenon_msgs/msg/Transition", SHARE))
STEPS, PERIOD_NS = 6, 100_000_000
AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(run: Path, number: int, *, success: bool) -> Path:
    """An episode with pictures; its last step succeeds, if any."""
    encode = MessageEncoder(TOPIC)
    contract = EpisodeContract(number=number, robot="ur5", task="usb", session=run.name, session_episode=number)
    writer = EpisodeWriter(run / "episodes", contract, [TOPIC])
    seen = [Observation(np.zeros(3, np.float32), np.full((8, 8, 3), step, np.uint8)) for step in range(STEPS + 1)]
    for step in range(STEPS):
        is_last = step == STEPS - 1
        transition = Transition(
            session=run.name,
            episode=number,
            step=step,
            observation=seen[step],
            action=np.zeros(2, np.float32),
            reward=float(is_last and success),
            next_observation=seen[step + 1],
            terminated=False,
            truncated=is_last,
            success=is_last and success,
            stamp_ns=(step + 1) * PERIOD_NS,
        )
        stamp_ns = transition.stamp_ns
        data = encode(transition_fields(transition, train=True))
        writer.write(TOPIC.name, data, log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
    return writer.finish(EpisodeOutcome(result="success" if success else "timeout"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs, one of them a level deeper; the first has one success of two."""
    for number in range(2):
        record(tmp_path / "usb", number, success=number == 0)
    record(tmp_path / "monday" / "dsub", 0, success=False)
    return tmp_path


def test_recordings_are_found_by_the_name_of_their_run(root: Path) -> None:
    record(root / "usb", 7, success=True).rename(root / "usb" / "episodes" / "episode_000007.part")
    found = [runs.read_dataset(root, folder) for folder in runs.dataset_folders(root)]
    assert [dataset.name for dataset in found] == ["monday/dsub", "usb"]
    usb = found[1]
    assert (len(usb.listing.finished), runs.successes(usb), len(usb.listing.to_repair)) == (2, 1, 1)


def test_discarded_episodes_are_no_part_of_the_share_of_successes(root: Path) -> None:
    record(root / "usb", 2, success=True)
    store = EpisodeStore(root / "usb" / "episodes")
    for number in (1, 2):
        episode = store.episode(number)
        mark_episode(episode.layout, episode.contract, "discard", by="ana", at=AT)
    before = runs.dataset_folders(root)
    usb = runs.read_dataset(root, store.directory)
    assert (len(usb.listing.finished), runs.judged(usb), runs.successes(usb)) == (3, 1, 1)
    assert store.directory in before and len(before) == 2


def test_labels_beside_the_episodes_are_no_recordings_of_their_own(root: Path) -> None:
    before = runs.dataset_folders(root)
    episode, _ = episodes_to_label(root / "usb" / "episodes")[0]
    EpisodeLabelling.open(episode).save(by="ada", at=AT)
    assert runs.dataset_folders(root) == before


def test_checkpoints_are_listed_newest_first_and_a_damaged_one_says_so(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "usb" / "trainer" / "checkpoints", keep=5)
    for updates in (10, 20):
        folder.save(updates, Checkpoint("sac", {}, {}, {}, {"weight": torch.zeros(2)}))
    (folder.path(10) / "manifest.json").write_text("{")
    found = {checkpoint.updates: checkpoint for checkpoint in runs.checkpoints(tmp_path)}
    assert found[20].name == "usb/trainer"
    assert found[20].method == "sac"
    assert found[10].method.startswith("damaged")


def test_checkpoint_and_folder_that_vanish_while_they_are_listed_are_skipped(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CheckpointFolder(root / "usb" / "trainer" / "checkpoints", keep=5).save(
        10, Checkpoint("sac", {}, {}, {}, {"weight": torch.zeros(2)})
    )
    real_updates, real_walk = CheckpointFolder.updates, os.walk
    monkeypatch.setattr(CheckpointFolder, "updates", lambda self: real_updates(self) and [5, *real_updates(self)])
    monkeypatch.setattr(os, "walk", lambda top: [*real_walk(top), (str(root / "gone"), [], [])])
    assert [checkpoint.updates for checkpoint in runs.checkpoints(root)] == [10]
    assert len(runs.dataset_folders(root)) == 2


def test_folder_without_runs_is_empty(tmp_path: Path) -> None:
    assert runs.dataset_folders(tmp_path) == []
    assert runs.checkpoints(tmp_path) == []


def test_labelling_begins_with_what_the_reward_said(root: Path) -> None:
    (episode, labels), _ = episodes_to_label(root / "usb" / "episodes")
    opened = EpisodeLabelling.open(episode)
    assert labels is None
    assert opened.marks == {STEPS - 1}
    assert opened.is_changed


def test_marks_are_kept_with_who_set_them_and_come_back(root: Path) -> None:
    folder = root / "usb" / "episodes"
    opened = EpisodeLabelling.open(episodes_to_label(folder)[0][0])
    opened.go_to(2)
    opened.succeeds_here()
    opened.go_to(99)
    assert opened.frame == STEPS - 1
    opened.toggle()
    assert opened.success.tolist() == [False, False, True, True, True, False]
    opened.save(by="ada", at=AT)
    assert not opened.is_changed
    episode, labels = episodes_to_label(folder)[0]
    assert labels is not None
    assert (labels.by, labels.marks) == ("ada", (2, 5))
    assert EpisodeLabelling.open(episode).marks == {2, 5}


def test_labels_of_other_frames_are_no_marks_and_labelling_anew_stands_above_them(root: Path) -> None:
    """The labels are of the original, of whose frames the repaired form lacks some."""
    folder = root / "usb" / "episodes"
    episode, _ = episodes_to_label(folder)[0]
    LabelStore(folder).save(episode, STEPS + 3, (STEPS + 2,), by="ada", at=AT, seen_version=0)
    opened = EpisodeLabelling.open(episode)
    assert opened.marks == {STEPS - 1} and opened.is_changed
    assert opened.success.tolist() == [False] * (STEPS - 1) + [True]
    assert opened.save(by="bob", at=AT).version == 2


def test_labels_of_other_frames_count_for_nothing_beside_a_classifier(root: Path) -> None:
    """All others are compared and drawn all the same."""
    folder = root / "usb" / "episodes"
    constant_classifier(root / "daib", 4.0, size_px=8)
    episode, _ = episodes_to_label(folder)[0]
    labels = LabelStore(folder).save(episode, STEPS + 3, (0,), by="ada", at=AT, seen_version=0)
    compared = comparisons(folder, root / "daib")
    assert sorted(one.episode.number for one in compared) == [0, 1]
    assert all(one.differences(labels) == one.differences(None) for one in compared)
    with pytest.raises(LabelError, match="none of these episodes is labelled"):
        threshold_of(folder, root / "daib", "usb")
    assert not EpisodeLabelling.open(episode).is_labelled


def test_second_person_is_told_that_the_first_was_faster(root: Path) -> None:
    episode, _ = episodes_to_label(root / "usb" / "episodes")[0]
    first, second = EpisodeLabelling.open(episode), EpisodeLabelling.open(episode)
    first.never()
    first.save(by="ada", at=AT)
    with pytest.raises(StaleLabelError, match="ada"):
        second.save(by="bob", at=AT)
    assert len(LabelStore(episode.path.parent).history(episode)) == 1


def test_classifier_proposes_and_its_surest_disagreement_comes_first(root: Path) -> None:
    folder = root / "usb" / "episodes"
    constant_classifier(root / "daib", 4.0, size_px=8)
    assert runs.classifiers(root) == [root / "daib"]
    classifier = RewardClassifier.load(root / "daib")
    found = compare(folder, classifier)
    assert [labelling.episode.number for labelling in found] != []
    differing = found[0]
    assert differing.differences().any()
    with pytest.raises(LabelError, match="none of these episodes is labelled"):
        threshold_picture(found, classifier, "usb")
    differing.accept()
    assert not differing.differences().any()
    saved = differing.save(by="ada", at=AT)
    assert (saved.source, saved.classifier) == ("classifier", classifier.version)


def test_threshold_is_shown_by_what_labelled_episodes_give(root: Path) -> None:
    constant_classifier(root / "daib", 4.0, size_px=8)
    classifier = RewardClassifier.load(root / "daib")
    found = compare(root / "usb" / "episodes", classifier)
    for labelling in found:
        labelling.go_to(3)
        labelling.succeeds_here()
        labelling.save(by="ada", at=AT)
    picture = threshold_picture(found, classifier, "usb")
    assert picture.ndim == 3
    assert picture.std() > 0.0
