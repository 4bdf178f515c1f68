"""New datasets from old ones: nothing is lost, nothing changes, and each episode tells where it comes from."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from tenon.cli.main import main
from tenon.configuration import ConfigurationError
from tenon.data.edit import copying, output
from tenon.data.edit.contents import read_contents
from tenon.data.edit.merge import merge
from tenon.data.edit.output import DatasetError
from tenon.data.edit.split import split_by_condition, split_by_list, split_by_share, write_split
from tenon.data.edit.trim import Cut, trim
from tenon.data.episodes import EpisodeError, EpisodeOutcome, Mark, Result
from tenon.data.labels import LabelStore
from tenon.data.marks import mark_episode
from tenon.data.prior import read_prior, write_prior
from tenon.data.repair import REPAIR_RECORD, repair_episode
from tenon.data.replay import Replay
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, ObservationSpec
from tenon.experiments.prior_data import data_folder
from tenon.session.setup import load_setup

from .conftest import CAMERA, JOINTS, TRANSITION, Runs, assert_same_steps, bytes_of, contents

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=2)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def run(runs: Runs) -> tuple[Episode, ...]:
    """Ten episodes, every third a failure."""
    return tuple(runs.record("a", number, steps=2, success=number % 3 != 0) for number in range(10))


def numbers(found: tuple[Episode, ...]) -> list[int]:
    return [episode.number for episode in found]


# -- split


def test_parts_hold_every_episode_once_byte_by_byte_and_say_where_it_comes_from(run, tmp_path: Path) -> None:
    before = bytes_of(run[0].path.parent)
    write_split(split_by_share(run, {"train": 0.7, "test": 0.3}, seed=1), tmp_path / "out")
    parts = [EpisodeStore(tmp_path / "out" / name).episodes() for name in ("train", "test")]
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(numbers(parts[0]) + numbers(parts[1])) == list(range(10))
    for made in (*parts[0], *parts[1]):
        source = run[made.number]
        assert contents(made) == contents(source)
        assert made.contract == source.contract and made.outcome == source.outcome
        (origin,) = read_contents(made).history
        assert (origin.operation, origin.folder, origin.episode) == ("split", str(source.path.parent), source.path.name)
        assert origin.sha256 == hashlib.sha256(source.file.read_bytes()).hexdigest() and origin.tool.startswith(
            "tenon "
        )
    assert bytes_of(run[0].path.parent) == before


def test_draw_depends_on_the_seed_alone(run) -> None:
    draws = [split_by_share(run, {"a": 0.5, "b": 0.5}, seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("shares", [{"a": 0.5, "b": 0.4}, {"a": 1.2, "b": -0.2}, {"a": 0.99, "b": 0.01}])
def test_shares_that_make_no_sense_are_refused(run, shares: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match=r"sum 1|would be empty"):
        split_by_share(run, shares, seed=0)


def test_split_by_success_and_by_text_of_the_contract(run, runs: Runs) -> None:
    by_success = split_by_condition(run, "success")
    assert {name: numbers(found) for name, found in by_success.items()} == {
        "failure": [0, 3, 6, 9],
        "success": [1, 2, 4, 5, 7, 8],
    }
    other = runs.record("b", 0, task="dsub")
    assert {name: len(found) for name, found in split_by_condition((*run, other), "task").items()} == {
        "usb": 10,
        "dsub": 1,
    }
    with pytest.raises(DatasetError, match="'colour' is no condition to split by: success, result,"):
        split_by_condition(run, "colour")


def test_split_by_list_leaves_the_rest_and_refuses_what_is_not_there(run) -> None:
    plan = split_by_list(run, {"held": (7, 2)})
    assert numbers(plan["held"]) == [2, 7] and numbers(plan["rest"]) == [0, 1, 3, 4, 5, 6, 8, 9]
    with pytest.raises(DatasetError, match="no finished episode 12"):
        split_by_list(run, {"held": (12,)})
    with pytest.raises(DatasetError, match="episode 2 is listed in 'a' and in 'b'"):
        split_by_list(run, {"a": (2,), "b": (2,)})
    with pytest.raises(DatasetError, match="'rest' is the name of the part with all others"):
        split_by_list(run, {"rest": (0, 1)})
    with pytest.raises(DatasetError, match="part 'a' lists no episode"):
        split_by_list(run, {"a": ()})


def test_folder_that_exists_is_never_written_to_and_a_failed_split_leaves_nothing(run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(DatasetError, match="exists already and is never overwritten"):
        write_split({"a": run}, tmp_path / "there")
    with pytest.raises(DatasetError, match="cannot be a folder's name"):
        write_split({"a/b": run}, tmp_path / "out")
    data = bytearray(run[5].file.read_bytes())
    data[len(data) // 2] ^= 1
    run[5].file.write_bytes(data)
    with pytest.raises(EpisodeError, match="damaged"):
        write_split({"a": run}, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "there"]


def test_full_disk_is_told_and_leaves_nothing(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "_sync", fail)
    with pytest.raises(DatasetError, match="No space left on device: check the disk"):
        write_split({"a": run[:1]}, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_what_was_stopped_or_judged_by_a_person_goes_where_it_belongs(runs: Runs) -> None:
    results: tuple[Result, ...] = ("success", "timeout", "fault", "stopped", "aborted")
    found = [runs.record("a", number, outcome=EpisodeOutcome(result=result)) for number, result in enumerate(results)]
    mark_episode(found[3].layout, found[3].contract, "success", by="ana", at=NOON)
    mark_episode(found[1].layout, found[1].contract, "discard", by="ana", at=NOON)
    marked = runs.store("a").episodes()
    parts = {name: numbers(part) for name, part in split_by_condition(marked, "success").items()}
    assert parts == {"failure": [1, 2], "success": [0, 3], "unfinished": [4]}
    by_mark = {name: numbers(part) for name, part in split_by_condition(marked, "mark").items()}
    assert by_mark == {"none": [0, 2, 4], "success": [3], "discard": [1]}
    assert {name: numbers(part) for name, part in split_by_list(marked, {"held": (0,)}).items()} == {
        "held": [0],
        "rest": [2, 3, 4],
    }


def test_parts_get_names_that_folders_can_have(runs: Runs, tmp_path: Path) -> None:
    operators = ("Ana Müller", "Ana/Müller", "", "../..")
    found = [runs.record("a", number, operator=operator) for number, operator in enumerate(operators)]
    write_split(split_by_condition(found, "operator"), tmp_path / "people")
    assert {path.name for path in (tmp_path / "people").iterdir()} == {"Ana_Müller", "Ana_Müller_2", "none", "none_2"}
    found = [runs.record("b", 0, task="/home/ana/tasks/my plug.yaml")]
    assert list(split_by_condition(found, "task")) == ["home_ana_tasks_my_plug.yaml"]


def test_command_leaves_discarded_episodes_out_says_so_and_takes_those_that_are_listed(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        mark: Mark = "discard" if number == 1 else ""
        runs.record("a", number, outcome=EpisodeOutcome(result="timeout", mark=mark, who="ana" if mark else ""))
    ways = {
        "share": ["--share", "train=0.5", "test=0.5"],
        "by": ["--by", "success"],
        "rest": ["--episodes", "x=0"],
        "listed": ["--episodes", "x=1"],
        "mark": ["--by", "mark"],
    }
    for name, way in ways.items():
        assert main(["dataset", "split", str(runs.root / "a"), "--out", str(tmp_path / name), *way]) == 0
        found = {path.name for path in (tmp_path / name).glob("*/episode_*")}
        said = " ".join(capsys.readouterr().err.split())
        is_there = name in ("listed", "mark")
        assert (("episode_000001" in found), ("left out, discarded by ana" in said)) == (is_there, not is_there)
        assert found >= {"episode_000000", "episode_000002", "episode_000003"}


def test_marks_follow_into_every_copy_and_may_be_taken_back_there(runs: Runs, tmp_path: Path) -> None:
    episode = runs.record("a", 3, success=False)
    mark_episode(episode.layout, episode.contract, "success", by="ana", at=NOON)
    marked = runs.store("a").episodes()
    write_split({"all": marked}, tmp_path / "parts")
    merge(marked, tmp_path / "merged")
    trim(marked[0], tmp_path / "cut", Cut(head_steps=2))
    for folder in ("parts/all", "merged", "cut"):
        (copy,) = EpisodeStore(tmp_path / folder).episodes()
        assert (copy.outcome.result, copy.outcome.mark, copy.outcome.who) == ("success", "success", "ana")
        mark_episode(copy.layout, copy.contract, "", by="ben", at=NOON)
        assert EpisodeStore(tmp_path / folder).episodes()[0].outcome.result == "timeout"


# -- the session of a run


def session_of(folder: Path, **changes: object) -> str:
    """Writes a run's session beside its episodes; returns the hash of what they depend on."""
    folder.mkdir(parents=True, exist_ok=True)
    setup = load_setup("sim", {"run_directory": str(folder), **changes})
    (folder / "session.yaml").write_text(yaml.safe_dump(setup.config.model_dump(mode="json")))
    return setup.data_hash


def test_copies_say_what_task_they_are_of_and_can_be_trained_on(runs: Runs, tmp_path: Path) -> None:
    found = [runs.record("monday/episodes", number) for number in range(2)]
    session_of(runs.root / "monday")
    expected = load_setup("sim").environment_spec
    write_split(split_by_condition(found, "success"), tmp_path / "parts")
    merge(found, tmp_path / "merged")
    for number in range(2):
        trim(found[number], tmp_path / "cut", Cut(head_steps=2))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "parts" / "success").rename(tmp_path / "elsewhere" / "good")
    for folder in ("elsewhere/good", "merged", "cut"):
        assert data_folder(tmp_path / folder, None) == (expected, tmp_path / folder)


def test_merged_runs_keep_a_session_where_they_agree_and_else_the_way_out_is_named(runs: Runs, tmp_path: Path) -> None:
    def run_of(name: str, **changes: object) -> Episode:
        stated = session_of(runs.root / name, **changes)
        return runs.record(f"{name}/episodes", 0, session=name, configuration_hash=stated)

    monday, tuesday = run_of("monday", operator="ana"), run_of("tuesday", operator="ben")
    merge([monday, tuesday], tmp_path / "both")
    assert data_folder(tmp_path / "both", None)[0] == load_setup("sim").environment_spec
    merge([monday, run_of("faster", state_rate_hz=200.0)], tmp_path / "mixed", ["configuration_hash"])
    merge([monday, runs.record("bare", 0, configuration_hash=monday.contract.configuration_hash)], tmp_path / "some")
    for folder in ("mixed", "some"):
        with pytest.raises(ConfigurationError, match=r"no session\.yaml .* by --env: .*insertion-usb"):
            data_folder(tmp_path / folder, None)


# -- merge


def test_merge_numbers_anew_in_order_and_keeps_content_and_origin(runs: Runs, tmp_path: Path) -> None:
    first = [runs.record("a", number) for number in (3, 8)]
    second = [runs.record("b", number) for number in (3, 4)]
    before = bytes_of(runs.root)
    assert merge([*second, *first], tmp_path / "out") == ()
    made = EpisodeStore(tmp_path / "out").episodes()
    assert numbers(made) == [0, 1, 2, 3] and [episode.contract.number for episode in made] == [0, 1, 2, 3]
    for episode, source in zip(made, [*second, *first], strict=True):
        assert contents(episode) == contents(source)
        assert read_contents(episode).history[-1].episode == source.path.name
        with AnyReader([episode.path]) as reader:  # What `ros2 bag` and others read.
            found = [(connection.topic, bytes(data)) for connection, _, data in reader.messages()]
        assert sorted(found) == sorted(message[:2] for message in contents(source))
    assert bytes_of(runs.root) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "dsub"}, "task: 'dsub' instead of 'usb'"),
        ({"calibration": {"wrist": "2"}}, "calibration: wrist 2 instead of missing"),
        ({"versions": {"tenon": "0.2.0"}}, "versions: tenon 0.2.0 instead of 0.1.0"),
    ],
)
def test_different_contract_is_refused_by_name_unless_it_is_allowed(
    runs: Runs, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    found = [runs.record("a", 0), runs.record("b", 0, **change)]
    (field,) = change
    with pytest.raises(DatasetError, match=told) as refusal:
        merge(found, tmp_path / "out")
    assert f"--allow-different {field}" in str(refusal.value) and not (tmp_path / "out").exists()
    (difference,) = merge(found, tmp_path / "out", [field])
    assert told in str(difference)
    with pytest.raises(DatasetError, match=r"colour is not compared\. Compared are: robot"):
        merge(found, tmp_path / "again", ["colour"])


def test_two_days_of_recording_under_one_setup_are_merged_and_another_period_of_states_is_refused(
    runs: Runs, tmp_path: Path
) -> None:
    def day(name: str, operator: str, **changes: object) -> Episode:
        by_hand = {"controller": "teleop", "teleop": "keyboard", "train": False}
        session = {"run_directory": str(tmp_path / name), "operator": operator, **changes}
        setup = load_setup("sim", {**by_hand, **session})
        return runs.record(name, 0, configuration_hash=setup.data_hash, operator=setup.config.operator)

    monday, tuesday = day("monday", "ana", episodes=5), day("tuesday", "ben", episodes=9, seed=5)
    assert merge([monday, tuesday], tmp_path / "both") == ()
    with pytest.raises(DatasetError, match="--allow-different configuration_hash"):
        merge([monday, day("faster", "ana", state_rate_hz=200.0)], tmp_path / "all")


def test_same_episode_in_two_runs_is_refused(runs: Runs, tmp_path: Path) -> None:
    episode = runs.record("a", 0)
    shutil.copytree(episode.path.parent, runs.root / "copy")
    with pytest.raises(DatasetError, match="episode 0 of session 'a' comes twice"):
        merge([episode, *EpisodeStore(runs.root / "copy").episodes()], tmp_path / "out")


def test_repaired_episode_keeps_its_repair_record_and_its_gaps(runs: Runs, tmp_path: Path) -> None:
    episode = runs.record("a", 0, steps=100)
    data = bytearray(episode.file.read_bytes())
    data[len(data) // 2] ^= 1
    episode.file.write_bytes(data)
    repaired = repair_episode(episode.path).repaired
    assert repaired is not None
    source = runs.store("a").episode(0)
    merge([source], tmp_path / "out")
    (made,) = EpisodeStore(tmp_path / "out").episodes()
    assert dict(read_contents(made).records)[REPAIR_RECORD] == dict(read_contents(source).records)[REPAIR_RECORD]
    sequences = [[m.sequence for topic, m in read_contents(e).messages() if topic == JOINTS] for e in (source, made)]
    assert sequences[0] == sequences[1] and sequences[0][-1] > len(sequences[0]) - 1


def test_labels_of_people_follow_into_a_split_and_into_a_merge_under_the_new_name(runs: Runs, tmp_path: Path) -> None:
    episodes = [runs.record("a", number) for number in (3, 8)]
    store = LabelStore(runs.root / "a")
    for version in range(2):
        store.save(episodes[1], 10, (4 + version,), by="ana", at=NOON, seen_version=version)
    write_split({"kept": episodes}, tmp_path / "parts")
    parted = EpisodeStore(tmp_path / "parts/kept").episodes()
    merge(parted, tmp_path / "merged")
    merged = EpisodeStore(tmp_path / "merged").episodes()
    for folder, (unlabelled, labelled) in (("parts/kept", parted), ("merged", merged)):
        found = LabelStore(tmp_path / folder)
        assert found.latest(unlabelled) is None
        assert found.history(labelled) == store.history(episodes[1]) and len(found.history(labelled)) == 2
    assert [episode.path.name for episode in merged] == ["episode_000000", "episode_000001"]


# -- trim


def test_trim_by_steps_keeps_these_steps_and_what_happened_during_them(runs: Runs, tmp_path: Path) -> None:
    source = runs.record("a", 4)
    before = bytes_of(source.path)
    trim(source, tmp_path / "out", Cut(head_steps=3, tail_steps=2))
    made = EpisodeStore(tmp_path / "out").episode(4)
    steps = list(EpisodeStore(tmp_path / "out").transitions(made))
    assert_same_steps(steps, runs.transitions(4, session="a")[3:8])
    ends = [m[2] for m in contents(source) if m[0] == TRANSITION]
    assert contents(made) == [m for m in contents(source) if ends[2] < m[2] <= ends[7]]
    assert made.counts == {TRANSITION: 5, CAMERA: 5, JOINTS: 25}
    assert made.outcome.result == "success" and made.outcome.complete
    assert "cut from episode_000004" in made.outcome.detail
    assert "3 steps off the head, 2 steps off the tail" in made.outcome.detail
    assert "35 of 72 messages" in read_contents(made).history[-1].detail
    first = {topic: message.sequence for topic, message in reversed(list(read_contents(made).messages()))}
    assert set(first.values()) == {0}  # A gap in the numbers would mean a loss.
    assert bytes_of(source.path) == before


def test_trim_by_seconds_cuts_by_log_time(runs: Runs, tmp_path: Path) -> None:
    source = runs.record("a", 0)
    trim(source, tmp_path / "out", Cut(head_s=0.25, tail_s=0.1))
    made = EpisodeStore(tmp_path / "out").episode(0)
    kept = [m for m in contents(source) if source.start_ns + 250_000_000 <= m[2] <= source.end_ns - 100_000_000]
    assert contents(made) == kept and 0 < len(kept) < source.messages


@pytest.mark.parametrize("many_at_once", [True, False])
def test_steps_are_counted_even_where_several_were_logged_at_one_time(
    runs: Runs, tmp_path: Path, many_at_once: bool
) -> None:
    samples = runs.samples(runs.transitions(0, session="a"))
    if many_at_once:
        samples = [dataclasses.replace(sample, log_ns=7_000_000_000) for sample in samples]
    source = runs.record("a", 0, samples=samples)
    trim(source, tmp_path / "out", Cut(head_steps=4))
    store = EpisodeStore(tmp_path / "out")
    assert [step.step for step in store.transitions(store.episode(0))] == [4, 5, 6, 7, 8, 9]


def test_cutting_everything_nothing_or_in_two_units_is_refused(runs: Runs, tmp_path: Path) -> None:
    source = runs.record("a", 0)
    for cut in (Cut(head_steps=5, tail_steps=5), Cut(tail_steps=15), Cut(tail_steps=30), Cut(head_s=2.0)):
        with pytest.raises(DatasetError, match=r"nothing would be left .* 1\.00 s long and has 10 steps"):
            trim(source, tmp_path / "out", cut)
    for wrong in ({}, {"head_s": 1.0, "tail_steps": 1}):
        with pytest.raises(ValueError, match="seconds or steps are needed, not both"):
            Cut(**wrong)
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Cut(head_s=-1.0)
    assert not (tmp_path / "out").exists()


def test_history_grows_with_every_operation(runs: Runs, tmp_path: Path) -> None:
    trim(runs.record("a", 0), tmp_path / "cut", Cut(tail_steps=1))
    merge(EpisodeStore(tmp_path / "cut").episodes(), tmp_path / "merged")
    write_split({"all": EpisodeStore(tmp_path / "merged").episodes()}, tmp_path / "split")
    made = EpisodeStore(tmp_path / "split" / "all").episode(0)
    assert [source.operation for source in read_contents(made).history] == ["trim", "merge", "split"]


def test_training_reads_trimmed_episodes_and_looks_beyond_no_cut(runs: Runs, tmp_path: Path) -> None:
    for number in range(2):
        trim(runs.record("a", number), tmp_path / "cut", Cut(head_steps=1, tail_steps=2))
    assert write_prior(tmp_path / "prior", SPEC, read_prior(tmp_path / "cut", SPEC)) == 14
    replay = Replay.open(tmp_path / "prior", SPEC)
    first, last = replay.spans(np.array([0, 6, 7, 13]), range(14))
    assert first.tolist() == [0, 0, 7, 7] and last.tolist() == [6, 6, 13, 13]


def test_trim_that_fails_in_the_middle_leaves_nothing_and_one_that_was_killed_is_named(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = runs.record("a", 0), runs.record("a", 1)
    trim(other, tmp_path / "out", Cut(head_steps=1))
    original = copying._copy_messages

    def break_off(*arguments: Any) -> None:
        original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_copy_messages", break_off)
        with pytest.raises(KeyboardInterrupt):
            trim(source, tmp_path / "out", Cut(head_steps=1))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["episode_000001"]
    (tmp_path / "out" / "episode_000000.part").mkdir()
    with pytest.raises(DatasetError, match="left by a command that was killed: wait, or delete it"):
        trim(source, tmp_path / "out", Cut(head_steps=1))
    with pytest.raises(EpisodeError, match="exists already"):
        trim(other, tmp_path / "out", Cut(head_steps=1))
