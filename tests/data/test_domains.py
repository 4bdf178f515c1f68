"""Many domains in one folder: an index that is checked, transitions by domain, pictures with labels from a cache."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.data.domains import (
    INDEX,
    Domain,
    DomainIndex,
    Recording,
    add_domain,
    fingerprint,
    labelled_images,
    read_domains,
    read_index,
    read_task,
    set_task,
)
from tenon.data.encode import MessageEncoder, header_fields, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, Mark, TopicSpec
from tenon.data.labels import LabelStore
from tenon.data.mapped_array import StorageError
from tenon.data.marks import mark_episode
from tenon.data.prior import read_prior
from tenon.data.schemas import full_definition
from tenon.data.store import EpisodeStore
from tenon.data.transitions import (
    EnvironmentSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)

TRANSITION = "tenon_msgs/msg/Transition"
SUMMARY = "tenon_msgs/msg/EpisodeSummary"
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=4, image=ImageSpec(height=8, width=8, channels=3)), action_size=3
)
STEPS = 5
GOAL_ERROR_M = (0.003, -0.002, 0.0)
DOMAINS = {
    "usb_1": Domain(series="usb", mount="front", split="train"),
    "usb_2": Domain(series="usb", mount="side", split="train"),
    "din_1": Domain(series="din", mount="side", split="held-out"),
}


class Collection:
    """Writes domains as the collector does. Pictures and states tell where they are from."""

    def __init__(self, ros: Any, folder: Path) -> None:
        self.folder = folder
        self.topics = [
            TopicSpec("/transition", TRANSITION, full_definition(TRANSITION, ros.find_share)),
            TopicSpec("/session/episode", SUMMARY, full_definition(SUMMARY, ros.find_share)),
        ]

    def episode(
        self, name: str, number: int, *, complete: bool = True, mark: Mark = "", goal: bool = True, size_px: int = 8
    ) -> None:
        contract = EpisodeContract(number=number, robot="ur5", task="job-near", session=name, session_episode=number)
        writer = EpisodeWriter(self.folder / name, contract, self.topics)
        transition, summary = (MessageEncoder(topic) for topic in self.topics)
        for step in range(STEPS):
            data = transition(transition_fields(self.transition(name, number, step, size_px), train=True))
            writer.write("/transition", data, log_time_ns=step, publish_time_ns=step)
        if goal:
            fields = {"header": header_fields(0), "session": name, "goal_error_m": list(GOAL_ERROR_M)}
            writer.write("/session/episode", summary(fields), log_time_ns=STEPS, publish_time_ns=STEPS)
        writer.finish(EpisodeOutcome(result="timeout", complete=complete, mark=mark, who="ana" if mark else ""))

    @staticmethod
    def transition(name: str, episode: int, step: int, size_px: int = 8) -> Transition:
        def seen(number: int) -> Observation:
            tint = (17 * len(DOMAINS) * episode + 5 * number + list(DOMAINS).index(name)) % 256
            state = np.array((0.001 * number, 0.002, 0.003, episode), np.float32)
            return Observation(state, np.full((size_px, size_px, 3), tint, np.uint8))

        return Transition(
            session=name,
            episode=episode,
            step=step,
            observation=seen(step),
            action=np.zeros(3, np.float32),
            reward=float(step >= 3),
            next_observation=seen(step + 1),
            terminated=False,
            truncated=step == STEPS - 1,
            success=step >= 3,
        )

    def all(self, episodes: int = 2) -> Path:
        for name, domain in DOMAINS.items():
            for number in range(episodes):
                self.episode(name, number)
            add_domain(self.folder, name, domain)
        return self.folder


@pytest.fixture
def collection(ros: Any, tmp_path: Path) -> Collection:
    return Collection(ros, tmp_path / "data")


def test_index_comes_back_in_order_and_knows_its_splits(collection: Collection) -> None:
    index = read_index(collection.all(episodes=1))
    assert dict(index.domains) == dict(sorted(DOMAINS.items()))
    assert index.names("train") == ["usb_1", "usb_2"] and index.names("held-out") == ["din_1"]
    assert index.names() == ["din_1", "usb_1", "usb_2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "one object with a key per domain"),
        ('{"usb_1": 3}', "series, mount and split are needed"),
        ('{"usb_1": {"series": "usb", "mount": "front", "split": "test"}}', "split"),
        ('{"usb_1": {"series": "usb", "mount": "front", "split": "train", "colour": 1}}', "colour: unknown key"),
        ('{"usb_1": {"series": "usb", "split": "train"}}', "mount: is missing"),
        ('{"../usb_1": {"series": "usb", "mount": "front", "split": "train"}}', "no folder"),
        ('{"usb_9": {"series": "usb", "mount": "front", "split": "train"}}', "no folder"),
    ],
)
def test_broken_index_is_refused_with_the_reason(collection: Collection, content: str, message: str) -> None:
    folder = collection.all(episodes=1)
    (folder / INDEX).write_text(content)
    with pytest.raises(StorageError, match=message) as refused:
        labelled_images(folder)
    assert INDEX in str(refused.value)


def test_folder_without_an_index_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="tenon collect"):
        read_index(tmp_path)


def test_adding_a_domain_keeps_the_others(tmp_path: Path) -> None:
    for name, domain in DOMAINS.items():
        (tmp_path / name).mkdir()
        add_domain(tmp_path, name, domain)
    changed = DOMAINS["usb_1"].model_copy(update={"split": "held-out"})
    add_domain(tmp_path, "usb_1", changed)
    assert read_index(tmp_path) == DomainIndex(dict(sorted({**DOMAINS, "usb_1": changed}.items())))


@pytest.mark.parametrize("name", ["", ".", "..", "lab/usb", ".lock", "domains.json"])
def test_name_that_no_folder_can_have_is_refused_before_the_list_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="cannot be the name of a folder"):
        add_domain(tmp_path, name, DOMAINS["usb_1"])
    assert not (tmp_path / "domains.json").exists()


def test_task_is_the_same_in_all_domains(tmp_path: Path) -> None:
    set_task(tmp_path, SPEC)
    set_task(tmp_path, SPEC)
    assert read_task(tmp_path) == SPEC
    with pytest.raises(StorageError, match=r"action_size.*new folder"):
        set_task(tmp_path, SPEC.model_copy(update={"action_size": 2}))
    assert read_task(tmp_path) == SPEC


def test_transitions_come_domain_by_domain_under_the_domains_name(collection: Collection) -> None:
    folder = collection.all()
    found = [(t.session, t.episode, t.step) for t in read_domains(folder, SPEC)]
    assert found == [(name, e, s) for name in sorted(DOMAINS) for e in range(2) for s in range(STEPS)]
    to_train_on = [key for key in found if DOMAINS[key[0]].split == "train"]
    assert [(t.session, t.episode, t.step) for t in read_prior(folder, SPEC)] == to_train_on
    assert {t.session for t in read_domains(folder, SPEC, names=["usb_2"])} == {"usb_2"}
    with pytest.raises(StorageError, match="usb_7"):
        list(read_domains(folder, SPEC, names=["usb_7"]))


def test_renamed_domain_is_read_under_its_new_name(collection: Collection) -> None:
    collection.episode("usb_1", 0)
    (collection.folder / "usb_1").rename(collection.folder / "usb_5")
    add_domain(collection.folder, "usb_5", DOMAINS["usb_1"])
    assert {t.session for t in read_domains(collection.folder, SPEC)} == {"usb_5"}


def test_transitions_of_another_task_are_refused(collection: Collection) -> None:
    other = EnvironmentSpec(observation=SPEC.observation, action_size=2)
    with pytest.raises(TransitionError, match="action"):
        list(read_domains(collection.all(episodes=1), other))


def test_labelled_images_are_the_pictures_after_each_step(collection: Collection) -> None:
    data = labelled_images(collection.all())
    assert len(data) == len(DOMAINS) * 2 * STEPS
    assert data.names == tuple(sorted(DOMAINS)) and data.splits == ("held-out", "train", "train")
    assert data.series == ("din", "usb", "usb") and data.mounts == ("side", "front", "side")
    expected = list(read_domains(collection.folder, SPEC))
    for row, transition in enumerate(expected):
        picture = transition.next_observation.image
        assert picture is not None and np.array_equal(data.image[row], picture)
        assert (data.label[row], data.episode[row], data.step[row]) == (
            transition.success,
            transition.episode,
            transition.step,
        )
        assert data.names[data.domain[row]] == transition.session
        assert np.allclose(data.offset_m[row], transition.next_observation.state[:3] + np.array(GOAL_ERROR_M))
    assert not data.image.flags.writeable and not data.label.flags.writeable
    assert data.rows(["usb_2", "din_1"]).tolist() == [*range(10), *range(20, 30)]
    assert data.recordings_of(data.rows(["usb_2", "din_1"])[:-1]) == {
        Recording(name, number) for name in ("din_1", "usb_2") for number in range(2)
    }
    assert data.recordings_of(np.arange(STEPS)) == {Recording("din_1", 0)}


def test_place_is_unknown_where_no_goal_error_was_recorded(collection: Collection) -> None:
    collection.episode("usb_1", 0, goal=False)
    add_domain(collection.folder, "usb_1", DOMAINS["usb_1"])
    assert np.isnan(labelled_images(collection.folder).offset_m).all()


def test_second_call_reads_no_episode(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = collection.all(episodes=1)
    first = labelled_images(folder)
    monkeypatch.setattr("tenon.data.domains.domain_episodes", lambda *_: pytest.fail("an episode was read"))
    second = labelled_images(folder)
    assert np.array_equal(first.image, second.image) and np.array_equal(first.offset_m, second.offset_m)


def test_cache_is_rebuilt_when_the_data_changed_and_old_maps_stay_good(collection: Collection) -> None:
    folder = collection.all(episodes=1)
    old = labelled_images(folder)
    before, mark = np.array(old.image), fingerprint(folder)
    collection.episode("usb_1", 1)
    assert fingerprint(folder) != mark
    new = labelled_images(folder)
    assert len(new) == len(old) + STEPS and np.array_equal(old.image, before)
    assert len([path for path in (folder / ".labelled").iterdir() if path.is_dir()]) == 1
    index = json.loads((folder / INDEX).read_text())
    del index["usb_2"]
    (folder / INDEX).write_text(json.dumps(index))
    assert labelled_images(folder).names == ("din_1", "usb_1")


def test_cache_is_rebuilt_when_an_episode_is_discarded_afterwards(collection: Collection) -> None:
    folder = collection.all()
    assert len(labelled_images(folder)) == 2 * len(DOMAINS) * STEPS
    episode = EpisodeStore(folder / "usb_1").episode(1)
    mark_episode(episode.layout, episode.contract, "discard", by="ana", at=datetime(2026, 3, 2, tzinfo=UTC))
    assert len(labelled_images(folder)) == (2 * len(DOMAINS) - 1) * STEPS


def test_cache_that_was_cut_off_while_it_was_built_is_built_anew(collection: Collection) -> None:
    folder = collection.all(episodes=1)
    half = folder / ".labelled" / (fingerprint(folder) + ".new")
    half.mkdir(parents=True)
    (half / "images.npy").write_bytes(b"half")
    assert len(labelled_images(folder)) == len(DOMAINS) * STEPS and not half.exists()


def test_data_where_nobody_may_write_are_refused_with_their_remedy(collection: Collection) -> None:
    folder = collection.all()
    (folder / ".labelled").write_text("in the way")
    with pytest.raises(StorageError, match="Take a folder where you may write"):
        labelled_images(folder)


def test_incomplete_episodes_are_told_and_left_out(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    collection.episode("usb_1", 0)
    collection.episode("usb_1", 1, complete=False)
    add_domain(collection.folder, "usb_1", DOMAINS["usb_1"])
    assert labelled_images(collection.folder).episode.tolist() == [0] * STEPS
    assert "episode_000001" in caplog.text


def test_discarded_episodes_are_told_and_left_out(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    collection.episode("usb_1", 0)
    collection.episode("usb_1", 1, mark="discard")
    add_domain(collection.folder, "usb_1", DOMAINS["usb_1"])
    assert labelled_images(collection.folder).episode.tolist() == [0] * STEPS
    assert {transition.episode for transition in read_domains(collection.folder, SPEC)} == {0}
    assert "episode_000001: left out: discarded by ana" in caplog.text


def test_domain_without_episodes_is_refused(collection: Collection) -> None:
    folder = collection.all(episodes=1)
    (folder / "usb_3").mkdir()
    add_domain(folder, "usb_3", DOMAINS["usb_1"])
    with pytest.raises(StorageError, match=r"usb_3: holds no whole episode"):
        labelled_images(folder)


def test_pictures_of_two_sizes_are_refused_and_nothing_is_left(collection: Collection) -> None:
    collection.episode("usb_1", 0)
    collection.episode("usb_1", 1, size_px=6)
    add_domain(collection.folder, "usb_1", DOMAINS["usb_1"])
    with pytest.raises(StorageError, match="one size"):
        labelled_images(collection.folder)
    assert not [path for path in (collection.folder / ".labelled").iterdir() if path.is_dir()]


def test_labels_of_people_stand_in_for_the_recorded_success(collection: Collection) -> None:
    folder = collection.all(episodes=2)
    recorded = labelled_images(folder).label.copy()
    store = LabelStore(folder / "usb_1")
    first, second = EpisodeStore(folder / "usb_1").episodes()
    now = datetime(2026, 3, 2, tzinfo=UTC)
    store.save(second, STEPS, (1, 2), by="ana", at=now, seen_version=0)
    labelled = labelled_images(folder)
    chosen = (labelled.domain == labelled.names.index("usb_1")) & (labelled.episode == second.number)
    assert labelled.label[chosen].tolist() == [False, True, False, False, False]
    assert np.array_equal(labelled.label[~chosen], recorded[~chosen])
    store.save(first, STEPS + 1, (), by="ana", at=now, seen_version=0)
    with pytest.raises(StorageError, match="trimmed or repaired since; label it anew"):
        labelled_images(folder)
