"""`tenon dataset` as typed: verify, split, merge, trim, export, import, contact-sheet."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tenon.cli.dataset_edit import Merge, Split, Trim, numbers
from tenon.cli.dataset_exchange import Import
from tenon.cli.dataset_verify import Verify
from tenon.cli.errors import UsageError
from tenon.cli.main import main
from tenon.configuration import ConfigurationError
from tenon.data import decode
from tenon.data.encode import MessageEncoder, header_fields, image_fields, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.labels import LabelStore
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import read_episode
from tenon.data.transitions import Observation, Transition

ROOT = Path(__file__).parents[2]
SHARE = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
TYPES = {
    "/transition": "tenon_msgs/msg/Transition",
    "/joint_states": "sensor_msgs/msg/JointState",
    "/camera/wrist": "sensor_msgs/msg/Image",
}
TOPICS = [TopicSpec(name, type_, full_definition(type_, SHARE)) for name, type_ in TYPES.items()]
HOME_RAD = (0.0, -1.57, 1.57, -1.57, -1.57, 0.0)
STEPS, PERIOD_NS = 6, 100_000_000


def record(run: Path, number: int, *, task: str = "usb", image: bool = True) -> Path:
    """An episode of six steps; even ones succeed."""
    rng = np.random.default_rng(number)
    encode = {topic.name: MessageEncoder(topic) for topic in TOPICS}
    contract = EpisodeContract(
        number=number, robot="ur5", task=task, session=run.name, session_episode=number, seed=number
    )
    writer = EpisodeWriter(run / "episodes", contract, TOPICS[:2])
    seen = [
        Observation(
            rng.normal(size=3).astype(np.float32),
            rng.integers(0, 255, (32, 48, 3), dtype=np.uint8) if image else None,
        )
        for _ in range(STEPS + 1)
    ]
    for step in range(STEPS):
        stamp_ns, is_last = (step + 1) * PERIOD_NS, step == STEPS - 1
        success = is_last and number % 2 == 0
        transition = Transition(
            run.name, number, step, seen[step], np.zeros(2, np.float32), float(success), seen[step + 1],
            terminated=False, truncated=is_last, success=success, stamp_ns=stamp_ns,
        )  # fmt: skip
        joints = {"header": header_fields(stamp_ns), "position": [angle + 0.01 * step for angle in HOME_RAD]}
        messages = (("/joint_states", joints), ("/transition", transition_fields(transition, train=True)))
        for topic, fields in messages:
            writer.write(topic, encode[topic](fields), log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
    return writer.finish(EpisodeOutcome(result="timeout" if number % 2 else "success"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for number in range(4):
        record(tmp_path / "run", number)
    return tmp_path / "run"


def tenon(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


def test_verify_passes_a_sound_run_and_names_damage_with_its_remedy(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tenon("verify", run) == 0
    assert capsys.readouterr().out.count("  ok  ") == 4
    file = run / "episodes/episode_000002/episode_000002_0.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert tenon("verify", run, "--topics") == 1
    shown = capsys.readouterr()
    assert "episode_000002  wrong" in shown.out and "-> tenon dataset repair" in shown.out
    assert "4 episodes" in shown.err and "1 with something wrong" in shown.err
    assert tenon("verify", run, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert [episode["ok"] for episode in report["episodes"]] == [True, True, False, True] and not report["ok"]
    assert report["episodes"][0]["topics"][0]["rate_hz"] == pytest.approx(10.0)


def test_split_and_merge_and_trim_as_typed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tenon("split", run, "--out", tmp_path / "parts", "--episodes", "held=0,2-3") == 0
    assert {path.name for path in (tmp_path / "parts/held").iterdir()} == {
        "episode_000000", "episode_000002", "episode_000003",
    }  # fmt: skip
    assert tenon("split", run, "--out", tmp_path / "by", "--by", "success") == 0
    assert tenon("split", run, "--out", tmp_path / "share", "--share", "a=0.5", "b=0.5", "--seed", 3) == 0
    assert tenon("merge", tmp_path / "by/success", tmp_path / "by/failure", "--out", tmp_path / "all") == 0
    assert len(list((tmp_path / "all").iterdir())) == 4
    assert tenon("verify", tmp_path / "by") == 0
    assert "4 episodes" in capsys.readouterr().err
    episode = run / "episodes/episode_000001"
    assert tenon("trim", episode, "--out", tmp_path / "cut", "--head-steps", 2) == 0
    assert tenon("verify", tmp_path / "cut") == 0
    assert "4 steps" in capsys.readouterr().out


def test_wrong_usage_is_told_and_changes_nothing(run: Path, tmp_path: Path) -> None:
    out, episode = tmp_path / "out", run / "episodes/episode_000001"
    for command, told in (
        (Split(run, out), "say how to split, one way"),
        (Split(run, out, share=("a=1",), by="task"), "say how to split, one way"),
        (Split(run, out, episodes=("a=x",)), "'a=x' cannot be read: PART=VALUE is needed"),
        (Split(run, out, share=("a=0.5", "a=0.5")), "a part is named twice"),
        (Split(tmp_path / "none", out, by="task"), "no such directory"),
        (Merge((), out), "name at least one run"),
        (Trim(episode.with_name("episode_000009"), out, head_s=1.0), "no such directory"),
        (Import(tmp_path / "none.hdf5", out), "no such file or directory"),
        (Verify(episode), "holds no episodes"),
    ):
        with pytest.raises(UsageError, match=told):
            command.run()
    with pytest.raises(ConfigurationError, match="seconds or steps are needed, not both"):
        Trim(episode, out).run()
    assert not out.exists()


def test_merge_names_the_difference_and_takes_it_when_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "other", 0, task="dsub")
    assert tenon("merge", run, tmp_path / "other", "--out", tmp_path / "out") == 1
    assert "task: 'dsub' instead of 'usb'" in " ".join(capsys.readouterr().err.split())
    assert tenon("merge", run, tmp_path / "other", "--out", tmp_path / "out", "--allow-different", "task") == 0


@pytest.mark.parametrize(("to", "name"), [("robomimic", "a.hdf5"), ("lerobot", "lerobot"), ("minari", "usb-v0")])
def test_export_and_import_as_typed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str, name: str
) -> None:
    assert tenon("export", run, "--to", to, "--out", tmp_path / name) == 0
    assert "4 episodes, 24 steps" in capsys.readouterr().out
    assert tenon("export", run, "--to", to, "--out", tmp_path / name) == 1
    assert "never overwritten" in " ".join(capsys.readouterr().err.split())
    assert tenon("import", tmp_path / name, "--out", tmp_path / "prior", "--image-size", 16, 24) == 0
    assert "4 episodes, 24 transitions" in capsys.readouterr().out
    assert (tmp_path / "prior/replay/replay.json").exists() and (tmp_path / "prior/import.json").exists()


def test_contact_sheet_is_made_of_images_or_drawn_anew(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = run / "episodes/episode_000000"
    assert tenon("contact-sheet", episode, "--out", tmp_path / "a.png", "--columns", 3) == 0
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 3 * 192
    assert tenon("contact-sheet", episode, "--out", tmp_path / "b.png", "--topic", "/camera/wrist") == 1
    assert "Topics with images: none" in " ".join(capsys.readouterr().err.split())
    blind = record(tmp_path / "blind", 0, image=False)
    assert tenon("contact-sheet", blind, "--out", tmp_path / "c.png") == 0
    assert cv2.imread(str(tmp_path / "c.png")).std() > 10.0


def test_trim_says_how_many_labels_could_not_follow(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = read_episode(run / "episodes/episode_000001")
    store, noon = LabelStore(run / "episodes"), datetime(2026, 3, 2, 12, tzinfo=UTC)
    store.save(episode, STEPS, (4,), by="ana", at=noon, seen_version=0)
    assert tenon("trim", episode.path, "--out", tmp_path / "cut", "--head-steps", 2) == 0
    assert "1 labellings of episode_000001 did not follow" in " ".join(capsys.readouterr().err.split())
    assert store.latest(episode) is not None and not (tmp_path / "cut/labels").exists()


def test_numbers_are_read_as_people_write_them() -> None:
    assert numbers("0,4,7-9") == (0, 4, 7, 8, 9)


def test_span_of_numbers_that_counts_down_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'3-1' counts down and holds no episode: write 1-3"):
        Split(run, tmp_path / "parts", episodes=("a=3-1",)).run()
    assert not (tmp_path / "parts").exists()


def test_render_writes_a_video_at_the_episodes_own_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    episode, out = record(tmp_path / "run", 0), tmp_path / "episode.mp4"
    assert main(["dataset", "render", str(episode), "--out", str(out), "--rate-hz", "20"]) == 0
    assert "12 frames, 0.6 s" in capsys.readouterr().out
    video = cv2.VideoCapture(str(out))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(20.0)
    frames = [frame for is_there, frame in iter(video.read, (False, None)) if is_there]
    assert len(frames) == 12 and frames[0].shape[1] >= 320
    first, last = (np.asarray(frame[-6, -8], int) for frame in (frames[0], frames[-1]))
    assert first.max() < 40 and last[1] > last[0] + 40 and last[1] > last[2] + 40, "the bar ends green: a success"
    assert main(["dataset", "render", str(episode), "--out", str(out)]) == 2
    assert "never overwritten" in capsys.readouterr().err


CAMERA_FRAMES, CAMERA_PERIOD_NS, CAMERA_PX = 300, 33_333_333, (480, 640)


@pytest.fixture
def filmed(tmp_path: Path) -> Path:
    """An episode of ten seconds of a camera, 276 MB once decoded; frame k has the level k % 200, a clear one."""
    encode = MessageEncoder(TOPICS[2])
    contract = EpisodeContract(number=0, robot="ur5", task="usb", session="filmed", session_episode=0)
    writer = EpisodeWriter(tmp_path / "filmed" / "episodes", contract, TOPICS)
    for number in range(CAMERA_FRAMES):
        stamp_ns = (number + 1) * CAMERA_PERIOD_NS
        fields = image_fields(np.full((*CAMERA_PX, 3), number % 200, np.uint8), stamp_ns)
        writer.write("/camera/wrist", encode(fields), log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
    return writer.finish(EpisodeOutcome(result="success"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The level of every picture that is decoded, in order."""
    levels, real = [], decode.image_to_array

    def counted(message: Any) -> Any:
        image = real(message)
        levels.append(int(image[0, 0, 0]))
        return image

    monkeypatch.setattr(decode, "image_to_array", counted)
    return levels


def test_contact_sheet_decodes_only_the_frames_that_it_shows(filmed: Path, tmp_path: Path, decoded: list[int]) -> None:
    out = tmp_path / "sheet.png"
    assert tenon("contact-sheet", filmed, "--out", out, "--topic", "/camera/wrist", "--frames", 4) == 0
    assert decoded == [0, 100, 199, 99] and out.exists()


def test_render_holds_a_few_frames_at_a_time_and_decodes_none_that_it_does_not_show(
    filmed: Path, tmp_path: Path, decoded: list[int]
) -> None:
    tracemalloc.start()
    out = tmp_path / "film.mp4"
    assert tenon("render", filmed, "--out", out, "--topic", "/camera/wrist", "--rate-hz", 10) == 0
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(decoded) == 100 and decoded[:3] == [0, 3, 6]
    assert most < 40e6, "in bytes; all that is shown would be 92 MB"
    video = cv2.VideoCapture(str(out))
    levels = [float(frame[:480].mean()) for is_there, frame in iter(video.read, (False, None)) if is_there]
    assert len(levels) == 100 and levels[10] == pytest.approx(30.0, abs=4.0)
