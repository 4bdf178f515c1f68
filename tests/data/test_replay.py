"""The replay: what comes in comes out, through wrap-around, crashes, cut-off files and full disks."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.data.episode_ledger import EpisodeLedger
from tenon.data.mapped_array import StorageError
from tenon.data.replay import Replay, ReplayConfig
from tenon.data.transitions import (
    EnvironmentSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
IMAGE = EnvironmentSpec(
    observation=ObservationSpec(state_size=1, image=ImageSpec(height=2, width=2, channels=1)), action_size=1
)
CONFIG = ReplayConfig(capacity=100, reserve=20)
EPISODE = 7


def transition_number(number: int, *, state_size: int = 3, action_size: int = 2) -> Transition:
    """Number n of an endless stream of episodes of seven steps, every third of which terminates."""
    rng = np.random.default_rng(number)
    episode, step = divmod(number, EPISODE)
    last = step == EPISODE - 1
    return Transition(
        session="s",
        episode=episode,
        step=step,
        observation=Observation(rng.normal(size=state_size).astype(np.float32)),
        action=rng.uniform(-1, 1, action_size).astype(np.float32),
        reward=float(rng.normal()),
        next_observation=Observation(rng.normal(size=state_size).astype(np.float32)),
        terminated=last and episode % 3 == 0,
        truncated=last and episode % 3 != 0,
        success=last,
        policy_version=number,
        stamp_ns=number * 10**8,
        reward_logit=-0.25 * number,
        reward_version=f"daib-{number % 2}",
        next_tcp_in_base_m=rng.normal(size=3).astype(np.float32) if number % 3 else None,
    )


def _fill(replay: Replay, start: int, stop: int) -> None:
    for number in range(start, stop):
        assert replay.add(transition_number(number)) == number


def _assert_holds(replay: Replay, start: int, stop: int) -> None:
    numbers = torch.arange(start, stop)
    batch, rows = replay.gather(numbers), replay.rows(numbers)
    for index, number in enumerate(range(start, stop)):
        expected = transition_number(number)
        np.testing.assert_array_equal(batch.observation.state[index].numpy(), expected.observation.state)
        np.testing.assert_array_equal(batch.next_observation.state[index].numpy(), expected.next_observation.state)
        np.testing.assert_array_equal(batch.action[index].numpy(), expected.action)
        assert float(batch.reward[index]) == np.float32(expected.reward)
        assert bool(batch.terminated[index]) == expected.terminated
        for name in ("episode", "step", "truncated", "success", "policy_version", "stamp_ns", "reward_logit"):
            assert rows[name][index] == getattr(expected, name)
        assert replay.reward_version(int(rows["reward_version"][index])) == expected.reward_version
        tcp = replay.values("next_tcp_in_base_m", np.array(number)).numpy()
        np.testing.assert_array_equal(tcp, np.full(3, np.nan) if number % 3 == 0 else expected.next_tcp_in_base_m)


def test_gather_returns_what_was_added(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 30)
    _assert_holds(replay, 0, 30)
    assert replay.transitions == 30
    assert replay.complete_episodes == 4


def test_replay_of_before_the_place_of_the_tcp_was_stored_is_read_and_goes_on(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    replay.close()
    (tmp_path / "next_tcp_in_base_m").unlink()
    old = Replay.open(tmp_path, SPEC)
    _fill(old, 0, 10)
    old.close()
    again = Replay.open(tmp_path, SPEC)
    assert again.transitions == 10
    assert again.values("next_tcp_in_base_m", np.arange(4)).isnan().all()


def test_batch_tells_the_session_of_each_transition(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    for number in range(20):
        replay.add(dataclasses.replace(transition_number(number), session=f"s{number // EPISODE}"))
    session = replay.gather(torch.tensor([0, 19, 7, 13])).session
    assert session is not None
    assert [replay.session_name(number) for number in session.tolist()] == ["s0", "s2", "s1", "s1"]


def test_ring_keeps_the_newest_through_many_rounds(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 555)
    _assert_holds(replay, 555 - 120, 555)
    assert replay.window(555) == range(455, 555)
    with pytest.raises(StorageError, match="435 to 554 are held"):
        replay.gather(torch.tensor([434]))


def test_reopened_replay_goes_on_where_it_was(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 150)
    replay.close()
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert (replay.transitions, replay.complete_episodes) == (150, 21)
    _fill(replay, 150, 290)
    _assert_holds(replay, 170, 290)


def test_sample_is_uniform_over_the_first_transitions(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 110)
    numbers = replay.sample(20_000, torch.Generator().manual_seed(0), until=40).number
    counts = np.bincount(numbers.numpy(), minlength=110)
    assert counts[40:].sum() == 0
    assert counts[:40].min() > 400
    assert counts[:40].max() < 600


def test_sample_depends_on_the_generator_and_the_prefix_alone(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 40)
    early = replay.sample(16, torch.Generator().manual_seed(1), until=40)
    _fill(replay, 40, 115)
    late = replay.sample(16, torch.Generator().manual_seed(1), until=40)
    assert torch.equal(early.number, late.number)
    assert torch.equal(early.observation.state, late.observation.state)


def test_batch_is_contiguous_and_not_the_ring(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 10)
    batch = replay.sample(4, torch.Generator().manual_seed(0))
    for _, tensor in batch.named_tensors():
        assert tensor.is_contiguous()
        assert tensor.dtype == torch.float32
        tensor.fill_(9.0)
    _assert_holds(replay, 0, 10)


def test_empty_replay_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the replay is empty"):
        Replay(tmp_path, SPEC, CONFIG).sample(4, torch.Generator())


def test_bad_transition_leaves_no_trace(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 5)
    with pytest.raises(TransitionError):
        replay.add(transition_number(5, state_size=4))
    _fill(replay, 5, 8)
    _assert_holds(replay, 0, 8)


def test_episode_is_complete_once_all_its_steps_came_in_any_order(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    for number in (0, 1, 5, 6):
        replay.add(transition_number(number))
    assert not replay.has_episode("s", 0)
    assert replay.has_step("s", 0, 5)
    assert not replay.has_step("s", 0, 2)
    replay.close()
    replay = Replay(tmp_path, SPEC, CONFIG)
    for number in (2, 4, 3):
        assert not replay.has_episode("s", 0)
        replay.add(transition_number(number))
    assert replay.has_episode("s", 0)
    assert not replay.has_episode("another", 0)


def test_episodes_that_the_ring_dropped_are_remembered(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 400)
    replay.close()
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert replay.has_episode("s", 0)
    assert replay.has_step("s", 0, 3)
    assert replay.complete_episodes == 400 // EPISODE


def test_steps_of_a_broken_off_episode_that_the_ring_dropped_never_come_in_again(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    broken_off = dataclasses.replace(transition_number(0), session="broken off")
    for step in range(3):
        replay.add(dataclasses.replace(broken_off, step=step))
    for number in range(CONFIG.slots + 3):
        replay.add(transition_number(number))
        if number > CONFIG.slots - 8:  # restarts before, while and after it leaves the ring
            replay.close()
            replay = Replay(tmp_path, SPEC, CONFIG)
        assert all(replay.has_step("broken off", 0, step) for step in range(3))
    assert not replay.has_episode("broken off", 0)
    assert replay.complete_episodes == (CONFIG.slots + 3) // EPISODE


def test_episode_that_cannot_be_written_down_is_told_and_stands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = EpisodeLedger(tmp_path / "gone" / "episodes", 0)
    ledger.add(0, 0, 0, ended=True, transitions=1)
    assert ledger.is_complete(0, 0)
    assert "episode 0 is not written down" in caplog.text


def test_folder_that_cannot_be_written_to_is_named_with_its_remedy(tmp_path: Path) -> None:
    Replay(tmp_path, SPEC, CONFIG).close()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(StorageError, match=r"cannot be locked: .* copy it to where you may write"):
        Replay(tmp_path, SPEC, CONFIG)


def test_second_process_is_kept_out(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    with pytest.raises(StorageError, match="another process uses this replay"):
        Replay(tmp_path, SPEC, CONFIG)
    replay.close()
    Replay(tmp_path, SPEC, CONFIG)


def test_replay_of_another_format_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    Replay(tmp_path, SPEC, CONFIG).close()
    header = tmp_path / "replay.json"
    header.write_text(header.read_text().replace('"format": 3', '"format": 2'))
    with pytest.raises(StorageError, match=r"format 2, this version reads format 3: make it anew from the recorded"):
        Replay.open(tmp_path, SPEC)


def test_replay_of_other_sizes_is_refused(tmp_path: Path) -> None:
    Replay(tmp_path, SPEC, CONFIG).close()
    with pytest.raises(StorageError, match="use the same configuration or another folder"):
        Replay(tmp_path, IMAGE, CONFIG)


@pytest.mark.parametrize("name", ["state", "rows", "counters", "reward"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_cut_off_or_missing_file_is_refused_and_nothing_is_overwritten(tmp_path: Path, name: str, damage: str) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 30)
    replay.close()
    del replay
    whole = (tmp_path / name).read_bytes()
    if damage == "cut":
        os.truncate(tmp_path / name, len(whole) // 2)
    else:
        (tmp_path / name).unlink()
    with pytest.raises(StorageError, match=name):
        Replay(tmp_path, SPEC, CONFIG)
    (tmp_path / name).write_bytes(whole)
    _assert_holds(Replay(tmp_path, SPEC, CONFIG), 0, 30)


def test_row_that_a_power_cut_tore_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 20)
    replay.flush()
    _fill(replay, 20, 33)
    replay._fields["state"].array[27, 1] += 1.0
    replay._lock.close()  # as a crash leaves it: neither flushed nor closed
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert replay.transitions == 27
    assert "transitions 27 to 32 were lost" in caplog.text
    _assert_holds(replay, 0, 27)
    assert not replay.has_episode("s", 3)
    _fill(replay, 27, 60)
    _assert_holds(replay, 0, 60)
    assert replay.has_episode("s", 3)


def test_what_a_power_cut_took_from_a_ring_that_had_come_round_is_not_believed_to_be_there(tmp_path: Path) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    _fill(replay, 0, 300)
    replay.flush()
    for number in range(300, 315):
        replay.add(dataclasses.replace(transition_number(number), human=True))
    replay._fields["state"].array[303 % CONFIG.slots, 1] += 1.0
    replay._lock.close()  # as a crash leaves it: neither flushed nor closed
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert replay.transitions == 303
    lost = [divmod(number, EPISODE) for number in range(303, 315)]
    assert not any(replay.has_step("s", episode, step) for episode, step in lost)
    assert not replay.has_episode("s", 303 // EPISODE)
    window = replay.window(303)
    assert replay.human(range(400)).tolist() == [300, 301, 302]
    assert len(window) == CONFIG.capacity
    _assert_holds(replay, window.start, 300)
    for number in range(303, 400):  # as a trainer adds them
        step = transition_number(number)
        assert not replay.has_step(step.session, step.episode, step.step)
        replay.add(step)
    _assert_holds(replay, 303, 400)
    assert all(replay.has_episode("s", episode) for episode in range(400 // EPISODE))


@pytest.mark.parametrize("steps", [3, 5])
def test_broken_off_episode_that_rows_of_before_a_power_cut_overwrote_is_remembered(tmp_path: Path, steps: int) -> None:
    replay = Replay(tmp_path, SPEC, CONFIG)
    for step in range(steps):
        replay.add(dataclasses.replace(transition_number(0), session="broken off", step=step))
    lost = CONFIG.slots - 1
    for number in range(lost - steps):
        replay.add(transition_number(number))
    replay.flush()
    for number in range(lost - steps, lost - steps + 4):
        replay.add(transition_number(number))
    replay._fields["state"].array[lost % CONFIG.slots, 1] += 1.0
    replay._lock.close()  # as a crash leaves it: neither flushed nor closed
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert replay.transitions == lost
    assert all(replay.has_step("broken off", 0, step) for step in range(steps))


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_replay import CONFIG, SPEC, transition_number
from tenon.data.replay import Replay
replay = Replay(Path(sys.argv[1]), SPEC, CONFIG)
number = replay.transitions
while True:
    replay.add(transition_number(number))
    number += 1
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
"""


def test_killed_process_loses_nothing_that_it_stored(tmp_path: Path) -> None:
    """kill -9 at three random moments, over several rounds of the ring."""
    rng = np.random.default_rng(0)
    script = textwrap.dedent(WRITER).format(folder=str(Path(__file__).parent))
    acknowledged = 0
    for _ in range(3):
        target = acknowledged + int(rng.integers(150, 500))
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            while acknowledged < target:
                acknowledged = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            for line in writer.stdout:  # what it said before it died
                acknowledged = int(line) if line.endswith("\n") else acknowledged
        replay = Replay(tmp_path, SPEC, CONFIG)
        stored = replay.transitions
        assert acknowledged <= stored <= acknowledged + 1
        _assert_holds(replay, stored - 100, stored)
        assert replay.complete_episodes == stored // EPISODE
        replay._lock.close()
        acknowledged = stored


@pytest.mark.parametrize("written", [("episode",), ("session", "episode", "step"), ("number", "episode", "step")])
def test_row_that_a_kill_left_half_written_completes_no_episode(tmp_path: Path, written: tuple[str, ...]) -> None:
    """The slot that comes next holds the end of an old episode: half overwritten, it must not count as an end."""
    replay = Replay(tmp_path, SPEC, CONFIG)
    slots = CONFIG.capacity + CONFIG.reserve + 1
    next_number = 820
    episode, step = divmod(next_number, EPISODE)
    assert (next_number - slots) % EPISODE == EPISODE - 1
    _fill(replay, 0, next_number)
    row = replay._rows.array[next_number % slots]
    for name, value in {"session": 0, "episode": episode, "step": step, "number": next_number}.items():
        if name in written:
            row[name] = value
    replay._lock.close()
    replay = Replay(tmp_path, SPEC, CONFIG)
    assert replay.complete_episodes == episode
    assert replay.has_step("s", episode, step - 1)
    assert not replay.has_step("s", episode, step)
    with pytest.raises(StorageError, match="are held"):
        replay.gather(torch.tensor([next_number - slots]))
    _fill(replay, next_number, next_number + 60)
    _assert_holds(replay, next_number - 30, next_number + 60)


def test_full_disk_is_an_error_that_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config = ReplayConfig(capacity=100_000, reserve=20)
    replay = Replay(tmp_path, SPEC, config)
    _fill(replay, 0, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", no_space)
        with pytest.raises(StorageError, match="the disk is full"):
            _fill(replay, 10, 100_000)
    stored = replay.transitions
    assert stored > 10
    replay.close()
    replay = Replay(tmp_path, SPEC, config)
    assert replay.transitions == stored
    _fill(replay, stored, stored + 10)
    _assert_holds(replay, 0, stored + 10)


def _image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (2, 2, 1), dtype=np.uint8)


def _with_images(number: int, length: int) -> Transition:
    """Step ``number`` of a stream of episodes of ``length``; frame k of an episode is the same as next frame k - 1."""
    episode, step = divmod(number, length)
    frame = episode * (length + 1) + step
    return Transition(
        session="s",
        episode=episode,
        step=step,
        observation=Observation(np.array([number], dtype=np.float32), _image(frame)),
        action=np.zeros(1, dtype=np.float32),
        reward=0.0,
        next_observation=Observation(np.array([number + 1], dtype=np.float32), _image(frame + 1)),
        terminated=False,
        truncated=step == length - 1,
    )


@pytest.mark.parametrize("length", [40, 3, 1])
def test_images_come_back_through_the_ring(tmp_path: Path, length: int) -> None:
    replay = Replay(tmp_path, IMAGE, CONFIG)
    for number in range(333):
        replay.add(_with_images(number, length))
    window = replay.window(333)
    batch = replay.gather(torch.arange(window.start, window.stop))
    assert batch.observation.image is not None and batch.next_observation.image is not None
    assert batch.observation.image.is_contiguous()
    for index, number in enumerate(window):
        expected = _with_images(number, length)
        np.testing.assert_array_equal(batch.observation.image[index].numpy(), expected.observation.image)
        np.testing.assert_array_equal(batch.next_observation.image[index].numpy(), expected.next_observation.image)
    assert len(window) == (100 if length == 40 else pytest.approx(105 * length / (length + 1), abs=2))


def test_each_frame_is_stored_once(tmp_path: Path) -> None:
    replay = Replay(tmp_path, IMAGE, CONFIG)
    for number in range(80):
        replay.add(_with_images(number, 40))
    rows = replay.rows(torch.arange(80))
    assert int(rows["next_frame"].max()) + 1 == 82
    config = ReplayConfig(capacity=50_000, reserve=100)
    frames = Replay(tmp_path / "large", IMAGE, config)._frames
    assert frames is not None
    assert frames.array.nbytes <= 1.06 * config.capacity * 4


def test_window_with_images_depends_on_the_prefix_alone(tmp_path: Path) -> None:
    replay = Replay(tmp_path, IMAGE, CONFIG)
    windows = {}
    for number in range(300):
        replay.add(_with_images(number, 2))
        windows[number + 1] = replay.window(number + 1)
    assert all(replay.window(until) == windows[until] for until in range(281, 301))
