"""Labels of frames: marks, versions with who and when, beside the episodes and never in them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenon.data.labels import (
    LabelError,
    LabelStore,
    StaleLabelError,
    labelled_success,
    load_frames,
    marks_from_success,
    success_from_marks,
)
from tenon.data.repair import repair_episode
from tenon.data.store import Episode, EpisodeStore, read_episode

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STEPS = 10


@pytest.fixture
def episode(recording: Any) -> Episode:
    return read_episode(recording.finished())


@pytest.fixture
def labels(episode: Episode) -> LabelStore:
    return LabelStore(episode.path.parent)


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_marks_say_the_same_as_the_flags_they_are_of(flags: list[bool]) -> None:
    success = np.array(flags)
    assert np.array_equal(success_from_marks(marks_from_success(success), len(flags)), success)


def test_a_mark_is_the_first_frame_of_success() -> None:
    assert success_from_marks((3, 5), 7).tolist() == [False, False, False, True, True, False, False]
    assert not success_from_marks((), 7).any()


def test_frames_are_the_pictures_after_each_step(episode: Episode) -> None:
    frames = load_frames(episode)
    steps = list(EpisodeStore(episode.path.parent).transitions(episode))
    assert len(frames) == STEPS
    for frame, step in zip(frames.image, steps, strict=True):
        assert step.next_observation.image is not None
        assert np.array_equal(frame, step.next_observation.image)
    assert frames.success.tolist() == [step.success for step in steps]
    assert frames.logit.tolist() == [0.5 * step for step in range(STEPS)]
    assert frames.time_s[0] == 0.0 and (np.diff(frames.time_s) > 0).all()


def test_what_is_saved_comes_back_with_who_and_when_and_the_recording_is_as_before(
    labels: LabelStore, episode: Episode
) -> None:
    before = files(episode.path)
    assert labels.latest(episode) is None
    saved = labels.save(episode, STEPS, (4, 7), by="ana", at=NOON, seen_version=0, note="bounced")
    assert LabelStore(episode.path.parent).latest(episode) == saved
    assert (saved.version, saved.by, saved.at, saved.source) == (1, "ana", "2026-03-02T12:00:00+00:00", "person")
    assert np.flatnonzero(saved.success).tolist() == [4, 5, 6]
    assert files(episode.path) == before


def test_a_newer_labelling_counts_and_the_older_one_stays(labels: LabelStore, episode: Episode) -> None:
    first = labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    second = labels.save(episode, STEPS, (5,), by="ben", at=NOON, seen_version=1, classifier="3f2a")
    assert labels.latest(episode) == second and second.source == "classifier"
    assert labels.history(episode) == (first, second)
    assert len(list(labels.newest_files())) == 1


def test_whoever_has_not_seen_the_newest_labels_is_told_whose_they_are(labels: LabelStore, episode: Episode) -> None:
    first = labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    with pytest.raises(StaleLabelError, match="labelled by ana at 2026"):
        labels.save(episode, STEPS, (5,), by="ben", at=NOON, seen_version=0)
    assert labels.history(episode) == (first,)


def test_of_two_who_save_in_one_process_at_once_one_is_told_and_the_other_is_kept(
    labels: LabelStore, episode: Episode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben saves from beginning to end while Ana's labels go to the disk."""
    real_fsync, calls = os.fsync, []

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:
            labels.save(episode, STEPS, (5,), by="ben", at=NOON, seen_version=0)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StaleLabelError, match="labelled by ben"):
        labels.save(episode, STEPS, (4, 7), by="ana", at=NOON, seen_version=0)
    (kept,) = labels.history(episode)
    assert (kept.by, kept.marks) == ("ben", (5,))
    assert [path.name for path in (labels.directory / episode.path.name).iterdir()] == ["000001.json"]


@pytest.mark.parametrize(
    ("marks", "by", "message"),
    [((7, 4), "ana", "after the one before"), ((STEPS,), "ana", "frames 0 to 9"), ((4,), "", "by")],
)
def test_labels_that_make_no_sense_are_refused_and_leave_nothing(
    labels: LabelStore, episode: Episode, marks: tuple[int, ...], by: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        labels.save(episode, STEPS, marks, by=by, at=NOON, seen_version=0)
    assert labels.latest(episode) is None


def test_damaged_labels_are_named_and_not_taken_for_none(labels: LabelStore, episode: Episode) -> None:
    labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    next(labels.newest_files()).write_text("{")
    with pytest.raises(LabelError, match=r"000001\.json: cannot be read"):
        labels.latest(episode)


def test_labels_of_another_folder_are_not_taken_for_this_ones(
    recording: Any, labels: LabelStore, episode: Episode
) -> None:
    second = read_episode(recording.finished(1))
    labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    (labels.directory / episode.path.name).rename(labels.directory / second.path.name)
    with pytest.raises(LabelError, match="labels of another folder"):
        labels.latest(second)


def test_repaired_episode_has_the_labels_of_its_original(labels: LabelStore, episode: Episode) -> None:
    saved = labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    data = bytearray(episode.file.read_bytes())
    data[-20] ^= 1  # in the footer: all messages are there
    episode.file.write_bytes(data)
    repair_episode(episode.path)
    repaired = EpisodeStore(episode.path.parent).episode(episode.number)
    assert repaired.layout.is_repaired and labels.latest(repaired) == saved
    later = labels.save(repaired, STEPS, (5,), by="ben", at=NOON, seen_version=1)
    assert labels.history(repaired) == labels.history(episode) == (saved, later)


def test_repaired_episode_that_lost_its_contract_takes_no_labels_but_may_have_its_own(
    labels: LabelStore, recording: Any
) -> None:
    damaged = recording.finished(3)
    of_original = labels.save(read_episode(damaged), STEPS, (4,), by="ana", at=NOON, seen_version=0)
    file = read_episode(damaged).file
    data = file.read_bytes()
    file.write_bytes(data.replace(b"tenon_contract", b"tenon_contradt", 1)[:-100])
    repair_episode(damaged)
    repaired = EpisodeStore(damaged.parent).episode(3)
    assert repaired.layout.is_repaired and repaired.contract.session == ""
    assert labels.latest(repaired) is None
    own = labels.save(repaired, STEPS, (5,), by="ben", at=NOON, seen_version=0)
    assert labels.latest(repaired) == own and own != of_original
    assert [path.parent.name for path in labels.newest_files()] == ["episode_000003", "episode_000003_repaired"]


def test_labels_come_before_what_was_recorded(labels: LabelStore, episode: Episode) -> None:
    recorded = load_frames(episode).success
    assert np.array_equal(labelled_success(labels, episode, recorded), recorded)
    labels.save(episode, STEPS, (2,), by="ana", at=NOON, seen_version=0)
    assert np.flatnonzero(labelled_success(labels, episode, recorded)).tolist() == list(range(2, STEPS))
    with pytest.raises(LabelError, match="trimmed or repaired since"):
        labelled_success(labels, episode, recorded[:5])


def test_a_folder_of_labels_is_no_episode(labels: LabelStore, episode: Episode) -> None:
    labels.save(episode, STEPS, (4,), by="ana", at=NOON, seen_version=0)
    listing = EpisodeStore(episode.path.parent).scan()
    assert len(listing.finished) == 1 and not listing.partial and not listing.damaged


def test_an_episode_without_pictures_says_what_is_needed(recording: Any) -> None:
    samples = [sample for sample in recording.ros.samples(3) if sample.topic != "/transition"]
    with pytest.raises(LabelError, match=r"tenon record --task \w+ --observation image --out"):
        load_frames(read_episode(recording.finished(7, samples)))
