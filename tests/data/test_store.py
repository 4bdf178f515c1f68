from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from embedded_ros2.interfaces import deserialize, get_message, serialize
from tenon.data import store as store_module
from tenon.data.episodes import EpisodeError, EpisodeOutcome
from tenon.data.mcap_check import check_mcap
from tenon.data.repair import messages_in, repair_episode
from tenon.data.store import EpisodeStore, read_episode
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import Transition

TRANSITION = "tenon_msgs/msg/Transition"


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 0x10
    file.write_bytes(data)


def assert_identical(one: Transition, other: Transition) -> None:
    """Every field, bit by bit, and the same types of arrays."""
    arrays = [
        (one.observation.state, other.observation.state),
        (one.action, other.action),
        (one.next_observation.state, other.next_observation.state),
        (one.observation.image, other.observation.image),
        (one.next_observation.image, other.next_observation.image),
        (one.next_tcp_in_base_m, other.next_tcp_in_base_m),
    ]
    for left, right in arrays:
        if left is None or right is None:
            assert left is right
        else:
            assert left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    for name in ("session", "episode", "step", "reward", "terminated", "truncated", "success", "saturated", "human"):
        assert getattr(one, name) == getattr(other, name)
    assert (one.policy_version, one.stamp_ns) == (other.policy_version, other.stamp_ns)
    assert (one.reward_logit, one.reward_version) == (other.reward_logit, other.reward_version)


def test_listing_tells_finished_partial_and_damaged_apart(recording, ros) -> None:
    samples = ros.samples(10)
    for number in range(4):
        recording.finished(number, samples)
    damaged = recording.directory / "episode_000001" / "episode_000001_0.mcap"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    aborted = recording.writer(9)
    recording.fill(aborted, samples)
    aborted.abort("why not")
    (recording.directory / "notes").mkdir()
    listing = EpisodeStore(recording.directory).scan()
    assert [episode.number for episode in listing.finished] == [0, 2, 3]
    assert [episode.layout.number for episode in listing.partial] == [9] and listing.partial[0].needs_repair
    assert [episode.layout.number for episode in listing.damaged] == [1]
    assert "tenon dataset repair" in listing.damaged[0].problem


def test_episode_comes_with_contract_outcome_counts_and_times(recording, ros) -> None:
    samples = ros.samples(10)
    path = recording.finished(4, samples)
    episode = EpisodeStore(recording.directory).episode(4)
    assert episode.contract.robot == "ur5" and episode.contract.session_episode == 44
    assert episode.contract.calibration == {"wrist_camera": "3f2a"}
    assert episode.outcome == EpisodeOutcome(result="success")
    assert episode.counts == {"/transition": 10, "/camera/image_raw": 10, "/joint_states": 30}
    assert (episode.start_ns, episode.end_ns) == (samples[0].time_ns, samples[-1].time_ns)
    assert episode.path == path and episode.messages == 50
    assert episode.size_bytes == sum(file.stat().st_size for file in path.iterdir())


def test_messages_are_those_that_were_written(recording, ros) -> None:
    samples = ros.samples(10)
    recording.finished(0, samples)
    store = EpisodeStore(recording.directory)
    found = [(m.topic, m.data, m.log_time_ns, m.publish_time_ns) for m in store.messages(store.episode(0))]
    assert found == [(s.topic, s.data, s.time_ns, s.time_ns) for s in samples]
    images = list(store.messages(store.episode(0), ["/camera/image_raw"]))
    assert [m.data for m in images] == [s.data for s in samples if s.topic == "/camera/image_raw"]
    assert {m.type for m in images} == {"sensor_msgs/msg/Image"}


def test_decoded_content_equals_what_rosbags_decodes(recording, ros) -> None:
    path = recording.finished(0, ros.samples(5))
    store = EpisodeStore(recording.directory)
    ours = list(store.decoded(store.episode(0), ["/joint_states"]))
    with AnyReader([path]) as reader:
        connections = [c for c in reader.connections if c.topic == "/joint_states"]
        theirs = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(connections)]
    assert len(ours) == len(theirs) == 15
    for message, other in zip(ours, theirs, strict=True):
        assert list(message.content.position) == other.position.tolist()
        assert list(message.content.name) == other.name
        assert message.content.header.stamp.nanosec == other.header.stamp.nanosec


def test_recorded_transition_is_identical_to_the_live_one(recording, ros) -> None:
    """Live: as a node of the embedded ROS 2 receives it. Recorded: through file and reader. And as rosbags reads it."""
    rng = np.random.default_rng(3)
    originals = [ros.transition(step, rng) for step in range(10)]
    class_ = get_message(TRANSITION)
    live = [deserialize(ros.cdr(message), class_) for message in originals]
    writer = recording.writer()
    for k, message in enumerate(live):
        writer.write("/transition", bytes(serialize(message)), log_time_ns=k, publish_time_ns=k)
    writer.finish(EpisodeOutcome(result="timeout"))
    store = EpisodeStore(recording.directory)
    recorded = list(store.transitions(store.episode(0)))
    assert len(recorded) == 10
    for one, message, original in zip(recorded, live, originals, strict=True):
        assert_identical(one, transition_from_message(message))
        assert_identical(one, transition_from_message(original))
    assert recorded[9].truncated and not recorded[9].terminated and recorded[9].stamp_ns == 90_000_000
    assert recorded[0].observation.image is not None and recorded[0].observation.image.shape == (16, 16, 3)


def test_recorded_message_that_makes_no_transition_names_its_file(recording, ros) -> None:
    message = deserialize(ros.cdr(ros.transition(0, np.random.default_rng(0))), get_message(TRANSITION))
    message.image.encoding = "16UC1"
    writer = recording.writer()
    writer.write("/transition", bytes(serialize(message)), log_time_ns=0, publish_time_ns=0)
    writer.finish(EpisodeOutcome(result="timeout"))
    store = EpisodeStore(recording.directory)
    with pytest.raises(EpisodeError, match=r"episode_000000.*: a message on /transition cannot be used: .*'16UC1'"):
        list(store.transitions(store.episode(0)))


def test_task_without_camera_has_transitions_without_image(ros) -> None:
    message = ros.transition(0, np.random.default_rng(0), size=0)
    transition = transition_from_message(message)
    assert transition.observation.image is None and transition.next_observation.image is None


def test_damage_inside_a_chunk_is_an_error_while_reading(recording, ros) -> None:
    path = recording.finished(0, ros.samples(10))
    store = EpisodeStore(recording.directory)
    episode = store.episode(0)
    flip(episode.file, episode.file.stat().st_size // 2)
    with pytest.raises(EpisodeError, match=f"cannot be read .*tenon dataset repair {path}"):
        list(store.messages(episode))


def test_damaged_episode_never_hides_the_others_and_is_logged(recording, ros, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2):
        recording.finished(number, ros.samples(2))
    (recording.directory / "episode_000000" / "episode_000000_0.mcap").write_bytes(b"")
    assert [episode.number for episode in EpisodeStore(recording.directory).episodes()] == [1]
    assert "episode_000000_0.mcap cannot be read" in caplog.text


def test_repaired_episode_stands_in_for_its_original(recording, ros) -> None:
    path = recording.finished(0, ros.samples(10))
    file = path / "episode_000000_0.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert repair_episode(path).repaired is not None
    store = EpisodeStore(recording.directory)
    listing = store.scan()
    assert [episode.path.name for episode in listing.finished] == ["episode_000000_repaired"]
    assert [damaged.problem for damaged in listing.damaged] == ["was repaired: see episode_000000_repaired"]
    assert listing.to_repair == ()
    assert store.episode(0).path.name == "episode_000000_repaired"
    assert store.next_number() == 1


def test_episode_that_is_being_recorded_is_not_said_to_be_cut_off(recording, ros) -> None:
    writer = recording.writer(7)
    recording.fill(writer, ros.samples(5))
    listing = EpisodeStore(recording.directory).scan()
    assert [episode.path for episode in listing.recording] == [writer.layout.part] and listing.partial == ()
    writer.abort("operator let go")
    listing = EpisodeStore(recording.directory).scan()
    assert [episode.path for episode in listing.partial] == [writer.layout.part] and listing.recording == ()
    assert listing.to_repair == (writer.layout.part,)


def test_part_without_a_message_is_empty_and_needs_no_repair(recording, ros) -> None:
    """Of its file there may be the beginning, nothing, or no file at all."""
    recording.writer(3).abort("before anything came")
    empty = recording.writer(4)
    empty.abort("")
    empty.layout.part_file.write_bytes(b"")
    (recording.directory / "episode_000005.part").mkdir()
    whole = recording.writer(6)
    recording.fill(whole, ros.samples(1)[:1])
    part = whole.abort("after one message")
    listing = EpisodeStore(recording.directory).scan()
    assert [partial.layout.number for partial in listing.partial if partial.is_empty] == [3, 4, 5]
    assert listing.to_repair == (part,)


def test_part_whose_first_chunk_is_damaged_is_repaired_if_the_rest_can_be_read(recording, ros) -> None:
    writer = recording.writer(3)
    recording.fill(writer, ros.samples(20))
    part = writer.abort("power")
    data = bytearray(writer.layout.part_file.read_bytes())
    data[700:900] = bytes(200)
    writer.layout.part_file.write_bytes(data)
    assert messages_in(writer.layout.part_file)
    assert EpisodeStore(recording.directory).scan().to_repair == (part,)


def test_what_a_killed_repair_left_is_not_repaired_but_its_source(recording, ros) -> None:
    writer = recording.writer(7)
    recording.fill(writer, ros.samples(5))
    part = writer.abort("cut off")
    recording.writer(7, layout=writer.layout.repaired).abort("killed")
    assert EpisodeStore(recording.directory).scan().to_repair == (part,)


def test_whole_original_is_preferred_to_its_repaired_form(recording, ros) -> None:
    """The repaired form was made of a part, which was recorded on and finished all the same."""
    writer = recording.writer(7)
    recording.fill(writer, ros.samples(5))
    part = writer.abort("cut off")
    assert repair_episode(part).repaired is not None
    shutil.rmtree(part)
    recording.finished(7, ros.samples(10))
    store = EpisodeStore(recording.directory)
    listing = store.scan()
    assert [(episode.path.name, episode.messages) for episode in listing.finished] == [("episode_000007", 50)]
    assert [damaged.problem for damaged in listing.damaged] == ["is not needed: episode_000007 is whole"]
    assert listing.to_repair == ()
    assert store.episode(7).path.name == "episode_000007"


def test_pair_of_original_and_repaired_form_is_read_once_until_a_file_changes(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording.finished(0, ros.samples(10))
    file = read_episode(path).file
    flip(file, file.stat().st_size // 2)
    assert repair_episode(path).repaired is not None
    read: list[Path] = []
    monkeypatch.setattr(store_module, "check_mcap", lambda found: read.append(found) or check_mcap(found))
    store = EpisodeStore(recording.directory)
    for _ in range(3):
        assert [episode.path.name for episode in store.scan().finished] == ["episode_000000_repaired"]
    assert read == [file]
    flip(file, file.stat().st_size // 2)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert [episode.path.name for episode in store.scan().finished] == ["episode_000000"]
    assert read == [file, file]


def test_original_that_opens_but_fails_its_checksums_is_still_stood_in_for(recording, ros) -> None:
    path = recording.finished(0, ros.samples(10))
    file = read_episode(path).file
    flip(file, file.stat().st_size // 2)
    assert read_episode(path) and repair_episode(path).repaired is not None
    store = EpisodeStore(recording.directory)
    assert [episode.path.name for episode in store.scan().finished] == ["episode_000000_repaired"]
    assert store.episode(0).path.name == "episode_000000_repaired"


def test_what_vanishes_while_it_is_listed_is_skipped(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        recording.finished(number, ros.samples(2))
    store = EpisodeStore(recording.directory)
    whole = store.size_bytes()
    gone = recording.directory / "episode_000000"
    real_stat = os.stat

    def stat(path, *arguments, **options):
        if str(path).startswith(str(gone)):
            shutil.rmtree(gone, ignore_errors=True)
        return real_stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert 0 < store.size_bytes() < whole
    assert [episode.number for episode in store.scan().finished] == [1] and not store.scan().damaged


def test_file_that_tenon_did_not_write_is_refused(recording, ros) -> None:
    path = recording.finished(0, ros.samples(2))
    shutil.copytree(path, path.with_name("episode_000001"))
    with pytest.raises(EpisodeError, match="cannot be read"):  # the file in it has the name of episode 0
        read_episode(path.with_name("episode_000001"))
    with pytest.raises(EpisodeError, match="a directory like episode_000123"):
        read_episode(path.with_name("something"))


def test_numbers_and_sizes(recording, ros) -> None:
    store = EpisodeStore(recording.directory)
    assert store.scan().finished == () and store.next_number() == 0 and store.size_bytes() == 0
    assert store.free_bytes() > 0  # the directory does not exist yet
    recording.finished(5, ros.samples(2))
    assert store.next_number() == 6
    assert store.size_bytes() == store.episode(5).size_bytes > 0
    with pytest.raises(EpisodeError, match="has no finished episode 3"):
        store.episode(3)


def test_directory_that_is_not_there_is_not_said_to_be_damaged(tmp_path) -> None:
    with pytest.raises(EpisodeError, match="episode_000012: no such directory"):
        read_episode(tmp_path / "episode_000012")
