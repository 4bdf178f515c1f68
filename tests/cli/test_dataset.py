"""`tenon dataset`: shows what a run has recorded and recovers what was cut off. Videos come from the same files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from sensor_msgs.msg import JointState

from embedded_ros2.interfaces import serialize
from tenon.cli.dataset_folder import finished_episodes
from tenon.cli.footage import FootageError, Stand, find_episode, write_episode_video
from tenon.cli.main import main
from tenon.configuration.resolve import resolve_session
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.repair import repair_episode
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import EpisodeStore
from tenon.session.stand import load_stand

Tenon = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
TOPIC, TYPE = "/joint_states", "sensor_msgs/msg/JointState"
MESSAGES, PERIOD_NS = 50, 20_000_000


def _write(episodes: Path, number: int, home_rad: tuple[float, ...]) -> EpisodeWriter:
    definition = full_definition(TYPE, find_share_under(ROOT / "src/embedded_ros2/embedded_ros2/share"))
    contract = EpisodeContract(
        number=number, robot="ur5", task="hard", session="monday", session_episode=number, seed=5
    )
    writer = EpisodeWriter(episodes, contract, [TopicSpec(TOPIC, TYPE, definition)])
    for index in range(MESSAGES):
        stamp_ns = index * PERIOD_NS
        message = JointState(position=[angle + 0.002 * index for angle in home_rad])
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        writer.write(TOPIC, bytes(serialize(message)), log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
    return writer


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """A run with one finished episode."""
    home_rad = load_stand(resolve_session("sim")).arm.home_rad
    _write(tmp_path / "episodes", 0, home_rad).finish(EpisodeOutcome(result="success"))
    return tmp_path


def test_info_lists_finished_episodes(tenon: Tenon, run_directory: Path) -> None:
    run = tenon("dataset", "info", str(run_directory))
    assert run.returncode == 0, run.stderr
    row = next(line for line in run.stdout.splitlines() if "success" in line)
    assert str(MESSAGES) in row


def test_cut_off_episode_is_named_repaired_and_kept(tenon: Tenon, run_directory: Path) -> None:
    episodes = run_directory / "episodes"
    part = episodes / "episode_000000.part"
    shutil.move(episodes / "episode_000000", part)
    whole = part / "episode_000000_0.mcap"
    cut = whole.read_bytes()[:-100]
    whole.unlink()
    (part / "metadata.yaml").unlink()
    (part / "episode_000000_0.mcap.part").write_bytes(cut)
    info = tenon("dataset", "info", str(run_directory))
    assert info.returncode == 1
    assert "tenon dataset repair" in " ".join(info.stderr.split())
    repair = tenon("dataset", "repair", str(part))
    assert repair.returncode == 0, repair.stderr
    assert f"{MESSAGES} messages" in " ".join(repair.stdout.split())
    assert (part / "episode_000000_0.mcap.part").read_bytes() == cut
    assert tenon("dataset", "info", str(run_directory)).returncode == 0


def test_episode_that_is_being_recorded_is_named_and_its_repair_refused(tenon: Tenon, run_directory: Path) -> None:
    writer = _write(run_directory / "episodes", 1, load_stand(resolve_session("sim")).arm.home_rad)
    info = tenon("dataset", "info", str(run_directory))
    assert info.returncode == 0 and f"is being recorded: {writer.layout.part}" in " ".join(info.stderr.split())
    repair = tenon("dataset", "repair", str(writer.layout.part))
    assert repair.returncode == 1 and "is being recorded" in repair.stderr
    writer.abort("")


def test_part_without_a_message_is_no_fault_and_may_be_deleted(tenon: Tenon, run_directory: Path) -> None:
    part = run_directory / "episodes" / "episode_000004.part"
    part.mkdir()
    (part / "episode_000004_0.mcap.part").write_bytes(b"\x89MCAP0\r\n")
    info = tenon("dataset", "info", str(run_directory))
    assert info.returncode == 0 and "repair" not in info.stderr
    assert f"it may be deleted: {part}" in " ".join(info.stderr.split())
    assert tenon("dataset", "verify", str(run_directory)).returncode == 0


def test_sound_episode_that_is_left_out_is_not_said_to_be_damaged(
    run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its original is whole too."""
    episodes = run_directory / "episodes"
    shutil.copytree(episodes / "episode_000000", episodes / "episode_000000.part")
    repair_episode(episodes / "episode_000000.part")
    shutil.rmtree(episodes / "episode_000000.part")
    assert [episode.path.name for episode in finished_episodes(run_directory)] == ["episode_000000"]
    said = " ".join(capsys.readouterr().err.split())
    assert "episode_000000 is whole" in said and "damaged" not in said
    assert main(["dataset", "info", str(run_directory)]) == 0


def test_directory_that_is_not_there_is_wrong_usage(tenon: Tenon, tmp_path: Path) -> None:
    run = tenon("dataset", "info", str(tmp_path / "none"))
    assert run.returncode == 2
    assert "no such directory" in run.stderr


def test_video_shows_the_arm_move_as_it_was_recorded(run_directory: Path, tmp_path: Path) -> None:
    stand = load_stand(resolve_session("sim"))
    puppet = Stand(stand.arm, stand.connector, stand.task)
    store = EpisodeStore(run_directory / "episodes")
    video = tmp_path / "video.mp4"
    frames = write_episode_video(video, puppet, store, find_episode(store, 0))
    with av.open(str(video)) as file:
        pictures = [frame.to_ndarray(format="rgb24").astype(float) for frame in file.decode(video=0)]
    assert len(pictures) == frames
    moved = np.abs(pictures[0] - pictures[-1]).mean()
    rested = np.abs(pictures[-1] - pictures[-2]).mean()
    assert moved > 5 * rested
    with pytest.raises(FootageError, match="episode 7 was not recorded"):
        find_episode(store, 7)
