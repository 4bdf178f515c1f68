"""Prior data: copied as a whole or not at all, from wherever users have them."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.data.episodes import EpisodeError, EpisodeOutcome
from tenon.data.mapped_array import StorageError
from tenon.data.prior import read_prior, write_prior
from tenon.data.replay import FRAMES, Replay, ReplayConfig
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import (
    EnvironmentSpec,
    GoalSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)

GOAL = GoalSpec(size=1, tolerance=0.1, reward="all_reached")
IMAGE = ImageSpec(height=2, width=2, channels=1)
SPECS = {
    "state": EnvironmentSpec(observation=ObservationSpec(state_size=2), action_size=1),
    "image": EnvironmentSpec(observation=ObservationSpec(state_size=2, image=IMAGE), action_size=1),
    "goal": EnvironmentSpec(observation=ObservationSpec(state_size=2, goal=GOAL), action_size=1),
}
RECORDED = EnvironmentSpec(
    observation=ObservationSpec(state_size=4, image=ImageSpec(height=16, width=16, channels=3)), action_size=2
)


def steps_of(kind: str, count: int, *, length: int = 5, session: str = "s") -> list[Transition]:
    def seen(number: int) -> Observation:
        rng = np.random.default_rng(number)
        return Observation(
            rng.normal(size=2).astype(np.float32),
            rng.integers(0, 256, (2, 2, 1), dtype=np.uint8) if kind == "image" else None,
            rng.normal(size=1).astype(np.float32) if kind == "goal" else None,
        )

    steps = []
    for number in range(count):
        episode, step = divmod(number, length)
        frame = (length + 1) * episode + step
        steps.append(
            Transition(
                session=f"{session}{episode % 2}",
                episode=episode,
                step=step,
                observation=seen(frame),
                action=np.full(1, 0.1 * step, np.float32),
                reward=float(np.float32(number / count)),
                next_observation=seen(frame + 1),
                terminated=step == length - 1 and episode % 2 == 0,
                truncated=step == length - 1 and episode % 2 == 1,
                success=number % 3 == 0,
                saturated=number % 4 == 0,
                human=number % 5 == 0,
                policy_version=number,
                stamp_ns=1000 * number,
                reward_logit=0.5 * number,
                reward_version=("", "daib-1", "daib-2")[number % 3],
            )
        )
    return steps


def assert_same(found: list[Transition], expected: list[Transition]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for field in dataclasses.fields(Transition):
            a, b = getattr(one, field.name), getattr(other, field.name)
            if isinstance(b, Observation):
                np.testing.assert_array_equal(a.state, b.state)
                assert (a.image is None) == (b.image is None)
                assert b.image is None or np.array_equal(a.image, b.image)
            else:
                assert np.array_equal(a, b), field.name
        goal = other.next_observation.achieved_goal
        assert goal is None or np.array_equal(one.next_observation.achieved_goal, goal)


@pytest.mark.parametrize("kind", sorted(SPECS))
@pytest.mark.parametrize("length", [1, 5])
def test_what_was_written_is_read_back(tmp_path: Path, kind: str, length: int) -> None:
    steps = steps_of(kind, 33, length=length)
    assert write_prior(tmp_path / "prior", SPECS[kind], iter(steps)) == 33
    assert_same(list(read_prior(tmp_path / "prior", SPECS[kind])), steps)


@pytest.mark.parametrize("kind", ["state", "image"])
def test_sealed_replay_is_as_large_as_what_it_holds_and_drops_nothing(tmp_path: Path, kind: str) -> None:
    write_prior(tmp_path / "prior", SPECS[kind], steps_of(kind, 100))
    prior = Replay.open(tmp_path / "prior", SPECS[kind])
    assert prior.config.capacity == prior.transitions == 100
    assert prior.window(100) == range(100)
    assert (tmp_path / "prior" / "reward").stat().st_size == 4 * (100 + 2)
    assert {path.name for path in tmp_path.iterdir()} == {"prior"}


def test_ring_that_wrapped_is_read_from_its_oldest_transition_on(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "replay", SPECS["goal"], ReplayConfig(capacity=30, reserve=5))
    steps = steps_of("goal", 100)
    for step in steps:
        replay.add(step)
    replay.close()
    assert_same(list(read_prior(tmp_path / "replay", SPECS["goal"])), steps[70:])
    assert_same(list(read_prior(tmp_path, SPECS["goal"])), steps[70:])


def test_recorded_episodes_are_read(recording, ros) -> None:
    recording.finished(0)
    recording.finished(1)
    steps = list(read_prior(recording.directory, RECORDED))
    assert [step.step for step in steps] == [*range(10), *range(10)]
    assert steps[0].observation.image is not None
    assert write_prior(recording.directory.parent / "prior", RECORDED, steps[:10]) == 10


def test_recorded_goals_come_back_and_messages_without_them_are_read(recording, ros) -> None:
    writer = recording.writer(0)
    message = ros.transition(0, np.random.default_rng(0))
    message.achieved_goal = np.array([0.5, -1.0], np.float32)
    recording.fill(writer, [dataclasses.replace(ros.samples(1)[-1], data=ros.cdr(message))])
    writer.finish(EpisodeOutcome(result="success"))
    (step,) = read_prior(recording.directory, RECORDED)
    assert step.next_observation.achieved_goal is not None
    assert step.next_observation.achieved_goal.tolist() == [0.5, -1.0]


def test_message_of_before_there_were_classifiers_is_read(ros) -> None:
    message = ros.transition(0, np.random.default_rng(0))
    del message.reward_logit, message.reward_version, message.next_tcp_in_base_m
    transition = transition_from_message(message)
    assert np.isnan(transition.reward_logit) and transition.reward_version == ""
    assert transition.next_tcp_in_base_m is None


def test_recording_with_losses_is_left_out_and_told(recording, ros, caplog: pytest.LogCaptureFixture) -> None:
    recording.finished(0)
    writer = recording.writer(1)
    recording.fill(writer, ros.samples(10))
    writer.finish(EpisodeOutcome(result="success", complete=False, detail="three messages were dropped"))
    assert len(list(read_prior(recording.directory, RECORDED))) == 10
    assert "three messages were dropped" in caplog.text


def test_recordings_without_transitions_say_so(recording, ros) -> None:
    recording.finished(0, [sample for sample in ros.samples(3) if sample.topic == "/joint_states"])
    with pytest.raises(EpisodeError, match=r"0 are discarded, 0 were .*with the topic /transition"):
        list(read_prior(recording.directory, RECORDED))


def test_recordings_that_are_all_left_out_say_why(recording, ros) -> None:
    for number, complete in enumerate((True, True, False)):
        writer = recording.writer(number)
        recording.fill(writer, ros.samples(2))
        writer.finish(EpisodeOutcome(result="success", complete=complete, mark="discard" if complete else ""))
    with pytest.raises(EpisodeError, match="2 are discarded, 1 were recorded with losses"):
        list(read_prior(recording.directory, RECORDED))


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_folder_without_transitions_says_what_is_needed_and_stays_as_it_was(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match=r"the folder of a training .* of recorded episodes .* is needed"):
        read_prior(tmp_path / name, SPECS["state"])
    assert not list(tmp_path.iterdir())


def test_data_of_another_task_are_refused_by_the_name_of_the_difference(tmp_path: Path) -> None:
    write_prior(tmp_path / "prior", SPECS["goal"], steps_of("goal", 5))
    with pytest.raises(StorageError, match=r"spec.observation.goal.reward = 'all_reached' \(asked for: None\)"):
        list(read_prior(tmp_path / "prior", SPECS["state"]))


def test_data_that_another_process_writes_are_refused(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "replay", SPECS["state"])
    with pytest.raises(StorageError, match="another process uses this replay"):
        list(read_prior(tmp_path / "replay", SPECS["state"]))
    replay.close()


def test_bad_transition_is_refused_with_its_place_and_the_old_data_stay(tmp_path: Path) -> None:
    steps = steps_of("state", 12)
    write_prior(tmp_path / "prior", SPECS["state"], steps)
    bad = [*steps[:7], dataclasses.replace(steps[7], reward=float("nan"))]
    with pytest.raises(TransitionError, match=r"episode 1, step 2: reward is nan"):
        write_prior(tmp_path / "prior", SPECS["state"], bad)
    assert {path.name for path in tmp_path.iterdir()} == {"prior"}
    assert_same(list(read_prior(tmp_path / "prior", SPECS["state"])), steps)


def test_step_that_comes_twice_is_refused(tmp_path: Path) -> None:
    steps = steps_of("state", 3)
    with pytest.raises(TransitionError, match="episode 0, step 1 comes twice"):
        write_prior(tmp_path / "prior", SPECS["state"], [*steps, steps[1]])


def test_no_transition_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the prior data hold no transition"):
        write_prior(tmp_path / "prior", SPECS["state"], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["state", "rows", "frames", "counters"])
def test_cut_off_file_is_refused(tmp_path: Path, name: str) -> None:
    write_prior(tmp_path / "prior", SPECS["image"], steps_of("image", 20))
    file = tmp_path / "prior" / name
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StorageError, match=name):
        Replay.open(tmp_path / "prior", SPECS["image"])


def test_half_written_data_of_a_killed_process_do_no_harm(tmp_path: Path) -> None:
    half = Replay(tmp_path / "prior.new", SPECS["state"])
    half.add(steps_of("state", 1)[0])
    half._lock.close()
    steps = steps_of("state", 8)
    assert write_prior(tmp_path / "prior", SPECS["state"], steps) == 8
    prior = Replay.open(tmp_path / "prior", SPECS["state"])
    assert torch.equal(prior.gather(torch.arange(8)).reward, torch.tensor([step.reward for step in steps]))


@pytest.mark.parametrize("kind", ["state", "image"])
def test_sealed_data_are_copied_as_they_are_while_another_training_reads_them(tmp_path: Path, kind: str) -> None:
    write_prior(tmp_path / "first", SPECS[kind], steps_of(kind, 12))
    in_use = Replay.open(tmp_path / "first", SPECS[kind])
    assert write_prior(tmp_path / "second", SPECS[kind], tmp_path / "first") == 12
    in_use.close()
    one, other = (list(read_prior(tmp_path / name, SPECS[kind])) for name in ("first", "second"))
    assert [(t.session, t.episode, t.step, t.reward) for t in one] == [
        (t.session, t.episode, t.step, t.reward) for t in other
    ]
    for file in ("state", "rows", "counters"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_pictures_of_sealed_data_are_shared_and_nobody_can_change_them(tmp_path: Path) -> None:
    write_prior(tmp_path / "first", SPECS["image"], steps_of("image", 12))
    before = (tmp_path / "first" / FRAMES).read_bytes()
    write_prior(tmp_path / "second", SPECS["image"], tmp_path / "first")
    assert (tmp_path / "first" / FRAMES).samefile(tmp_path / "second" / FRAMES)
    second = Replay.open(tmp_path / "second", SPECS["image"])
    with pytest.raises(StorageError, match="is sealed"):
        second.add(steps_of("image", 13)[12])
    assert second._frames is not None
    second._frames.array[:] = 7
    second.close()
    assert (tmp_path / "first" / FRAMES).read_bytes() == before
    shutil.rmtree(tmp_path / "first")
    assert len(list(read_prior(tmp_path / "second", SPECS["image"]))) == 12


def test_where_the_disk_has_no_links_pictures_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)

    monkeypatch.setattr(os, "link", no_link)
    write_prior(tmp_path / "first", SPECS["image"], steps_of("image", 12))
    write_prior(tmp_path / "second", SPECS["image"], tmp_path / "first")
    assert not (tmp_path / "first" / FRAMES).samefile(tmp_path / "second" / FRAMES)
    assert (tmp_path / "first" / FRAMES).read_bytes() == (tmp_path / "second" / FRAMES).read_bytes()


def test_copy_that_fails_names_one_cause_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_prior(tmp_path / "first", SPECS["state"], steps_of("state", 4))
    copied: list[str] = []

    def fail_from_the_second_on(source: str, target: str) -> None:
        copied.append(source)
        if len(copied) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(shutil, "copy2", fail_from_the_second_on)
    with pytest.raises(StorageError, match="No space left on device") as error:
        write_prior(tmp_path / "second", SPECS["state"], tmp_path / "first")
    assert len(copied) > 2 and str(error.value).count("No space left") == 1
    assert not (tmp_path / "second").exists() and not (tmp_path / "second.new").exists()


def test_sealed_data_of_another_task_are_refused_and_the_old_ones_stay(tmp_path: Path) -> None:
    write_prior(tmp_path / "other", SPECS["image"], steps_of("image", 4))
    write_prior(tmp_path / "own", SPECS["state"], steps_of("state", 6))
    with pytest.raises(StorageError, match="image"):
        write_prior(tmp_path / "own", SPECS["state"], tmp_path / "other")
    assert len(list(read_prior(tmp_path / "own", SPECS["state"]))) == 6
    assert not (tmp_path / "own.new").exists()


def test_folder_of_a_training_that_goes_on_is_read_step_by_step(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "training" / "replay", SPECS["state"], ReplayConfig(capacity=64, reserve=8))
    for transition in steps_of("state", 7):
        replay.add(transition)
    replay.close()
    assert not Replay.is_sealed(tmp_path / "training" / "replay")
    assert write_prior(tmp_path / "prior", SPECS["state"], tmp_path / "training") == 7
    assert Replay.is_sealed(tmp_path / "prior")
