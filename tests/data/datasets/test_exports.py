"""What is exported: the arrays of the recording, bit by bit, laid out as each format's documentation asks for.

Independent of the formats' own readers, which ``test_readers`` uses where they are installed.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from tenon.data.edit.output import DatasetError
from tenon.data.episodes import EpisodeOutcome
from tenon.data.exchange import lerobot_write, minari, robomimic
from tenon.data.exchange.lerobot_write import LeRobotConfig
from tenon.data.exchange.trajectory import Trajectory, exportable, read_all
from tenon.data.transitions import Transition

from .conftest import CAMERA, Runs, assert_same_steps

IMAGE = "observation.images.camera"


@pytest.fixture
def pictures(tmp_path: Path) -> Runs:
    """Two episodes with images, of different lengths; the second one fails."""
    runs = Runs(tmp_path / "runs", image=(48, 64))
    runs.record("a", 0, steps=6)
    runs.record("a", 1, steps=4, success=False)
    return runs


def trajectories(runs: Runs, run: str = "a") -> list[Trajectory]:
    store = runs.store(run)
    return list(read_all(store, exportable(store, lambda why: None)))


def recorded(runs: Runs, number: int, steps: int) -> list[Transition]:
    return runs.transitions(number, steps, success=number == 0, session="a")


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def test_trajectory_is_what_was_recorded_and_tells_its_source(pictures: Runs) -> None:
    one, two = trajectories(pictures)
    assert_same_steps(one.steps, recorded(pictures, 0, 6))
    assert_same_steps(two.steps, recorded(pictures, 1, 4))
    assert one.is_chained() and one.sizes.image == (48, 64, 3)
    source = json.loads(one.provenance())
    assert (
        source["episode"] == "episode_000000" and source["contract"]["task"] == "usb" and source["result"] == "success"
    )


def test_discarded_episodes_are_left_out_and_told(runs: Runs) -> None:
    runs.record("a", 0)
    runs.record("a", 1, outcome=EpisodeOutcome(result="stopped", mark="discard", who="ana"))
    told: list[str] = []
    assert [episode.number for episode in exportable(runs.store("a"), told.append)] == [0]
    assert len(told) == 1 and told[0].endswith("episode_000001: was discarded by ana")


def test_incomplete_and_cut_off_episodes_are_left_out_and_told(runs: Runs) -> None:
    runs.record("a", 0)
    runs.record("a", 1, outcome=EpisodeOutcome(result="success", complete=False, detail="the disk was full"))
    runs.record("a", 2, samples=[])
    runs.writer("a", 3).abort("power")
    told: list[str] = []
    assert [episode.number for episode in exportable(runs.store("a"), told.append)] == [0]
    assert len(told) == 3
    assert all(any(word in why for why in told) for word in ("the disk was full", "no transitions", "cut off"))


def test_different_sizes_do_not_go_into_one_dataset(runs: Runs, tmp_path: Path) -> None:
    runs.record("a", 0)
    Runs(runs.root, state_size=5).record("a", 1)
    with pytest.raises(DatasetError, match="one dataset holds one size"):
        robomimic.write(tmp_path / "a.hdf5", trajectories(runs))


@pytest.fixture
def by_hand(tmp_path: Path) -> Runs:
    """A person drove the even steps. They called the unpaid episode a success, the paid one a failure."""
    runs = Runs(tmp_path / "runs")
    for number, (paid, mark) in enumerate(((False, "success"), (True, "failure"), (True, ""))):
        steps = runs.transitions(number, 4, success=paid, session="a")
        driven = [dataclasses.replace(step, human=step.step % 2 == 0) for step in steps]
        outcome = EpisodeOutcome(result=mark or "success", mark=mark, who="ana" if mark else "")
        runs.record("a", number, samples=runs.samples(driven), outcome=outcome)
    return runs


NEVER, AT_LAST = [False] * 4, [False, False, False, True]
BY_MARK, DRIVEN = (AT_LAST, NEVER, AT_LAST), [True, False, True, False]


def test_a_persons_word_and_who_acted_go_into_every_format(by_hand: Runs, tmp_path: Path) -> None:
    robomimic.write(tmp_path / "a.hdf5", trajectories(by_hand))
    with h5py.File(tmp_path / "a.hdf5") as file:
        demos = [file[f"data/demo_{number}"] for number in range(3)]
        assert tuple(demo["success"][()].tolist() for demo in demos) == BY_MARK
        assert all(demo["human"][()].tolist() == DRIVEN for demo in demos)
        assert list(file["mask/success"][()]) == [b"demo_0", b"demo_2"]
        told = [json.loads(demo.attrs["tenon"]) for demo in demos]
        assert [(one["mark"], one["who"]) for one in told] == [("success", "ana"), ("failure", "ana"), ("", "")]
        assert demos[1]["rewards"][()].tolist() == [0.0, 0.0, 0.0, 1.0], "what was paid stays"
    minari.write(tmp_path / "usb-v0", trajectories(by_hand))
    with h5py.File(tmp_path / "usb-v0/data/main_data.hdf5") as file:
        infos = [file[f"episode_{number}/infos"] for number in range(3)]
        assert tuple(info["success"][1:].tolist() for info in infos) == BY_MARK
        assert all(info["human"][1:].tolist() == DRIVEN for info in infos)
    lerobot_write.write(tmp_path / "lerobot", trajectories(by_hand))
    rows = pq.read_table(tmp_path / "lerobot/data/chunk-000/file-000.parquet")
    assert rows["next.success"].to_pylist() == [flag for episode in BY_MARK for flag in episode]
    assert rows["tenon.human"].to_pylist() == DRIVEN * 3
    sources = json.loads((tmp_path / "lerobot/meta/tenon.json").read_text())["episodes"]
    assert [one["mark"] for one in sources] == ["success", "failure", ""]


def test_mark_is_not_set_on_a_step_that_did_not_end_the_episode(runs: Runs) -> None:
    """As of an episode whose tail was trimmed off."""
    steps = runs.transitions(0, 6, success=False, session="a")[:4]
    marked = EpisodeOutcome(result="success", mark="success", who="ana")
    runs.record("a", 0, samples=runs.samples(steps), outcome=marked)
    (trajectory,) = trajectories(runs)
    assert not trajectory.success().any()


def test_cameras_that_no_format_takes_are_named(runs: Runs, pictures: Runs, tmp_path: Path) -> None:
    runs.record("blind", 0)
    report = robomimic.write(tmp_path / "a.hdf5", trajectories(runs, "blind"))
    blind = "left out: camera topics /camera/image_raw: the pictures that are exported are those in the transitions"
    assert report.notes == (f"{blind}, which hold none here",)
    assert minari.write(tmp_path / "a-v0", trajectories(pictures)).notes == (blind,)
    assert blind in lerobot_write.write(tmp_path / "a", trajectories(pictures)).notes
    samples = [one for one in runs.samples(runs.transitions(0, session="none")) if one.topic != CAMERA]
    runs.record("none", 0, samples=samples)
    assert robomimic.write(tmp_path / "b.hdf5", trajectories(runs, "none")).notes == ()


# -- robomimic: https://robomimic.github.io/docs/datasets/overview.html


def test_robomimic_file_has_the_documented_structure_and_the_recorded_arrays(pictures: Runs, tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    report = robomimic.write(path, trajectories(pictures))
    assert (report.episodes, report.steps) == (2, 10)
    with h5py.File(path) as file:
        assert file["data"].attrs["total"] == 10
        assert set(json.loads(file["data"].attrs["env_args"])) == {"env_name", "env_type", "env_kwargs"}
        assert list(file["mask/success"][()]) == [b"demo_0"] and list(file["mask/failure"][()]) == [b"demo_1"]
        for number, count in ((0, 6), (1, 4)):
            demo, steps = file[f"data/demo_{number}"], recorded(pictures, number, count)
            assert demo.attrs["num_samples"] == count
            for group, name in (("obs", "observation"), ("next_obs", "next_observation")):
                seen = [getattr(step, name) for step in steps]
                assert same(demo[f"{group}/state"][()], np.stack([o.state for o in seen]))
                assert same(demo[f"{group}/image"][()], np.stack([o.image for o in seen]))
            assert same(demo["actions"][()], np.stack([step.action for step in steps]))
            assert demo["rewards"][()].tolist() == [step.reward for step in steps]
            assert demo["dones"][()].tolist() == [0] * (count - 1) + [1]
            assert not demo["terminated"][()].any() and demo["truncated"][()].tolist() == [False] * (count - 1) + [True]
            assert demo["stamp_ns"][()].tolist() == [step.stamp_ns for step in steps]


def test_export_never_overwrites_and_leaves_nothing_when_it_fails(pictures: Runs, tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    path.write_text("mine")
    with pytest.raises(DatasetError, match="exists already"):
        robomimic.write(path, trajectories(pictures))
    assert path.read_text() == "mine"

    def failing():
        yield trajectories(pictures)[0]
        raise DatasetError("the second one is damaged")

    for write, name in ((robomimic.write, "b.hdf5"), (minari.write, "b-v0"), (lerobot_write.write, "b")):
        with pytest.raises(DatasetError, match="second one"):
            write(tmp_path / name, failing())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.hdf5", "runs"]
    with pytest.raises(DatasetError, match=r"must end with \.hdf5"):
        robomimic.write(tmp_path / "a.mcap", trajectories(pictures))


# -- Minari: https://minari.farama.org/content/dataset_standards


def test_minari_dataset_has_the_documented_structure_and_the_recorded_arrays(pictures: Runs, tmp_path: Path) -> None:
    out = tmp_path / "usb-v0"
    minari.write(out, trajectories(pictures))
    metadata = json.loads((out / "data/metadata.json").read_text())
    assert (metadata["total_episodes"], metadata["total_steps"]) == (2, 10)
    assert metadata["dataset_id"] == "usb-v0" and metadata["data_format"] == "hdf5"
    space = json.loads(metadata["observation_space"])
    assert space["type"] == "Dict" and space["subspaces"]["image"]["shape"] == [48, 64, 3]
    with h5py.File(out / "data/main_data.hdf5") as file:
        for number, count in ((0, 6), (1, 4)):
            episode, steps = file[f"episode_{number}"], recorded(pictures, number, count)
            seen = [steps[0].observation, *(step.next_observation for step in steps)]
            assert episode.attrs["id"] == number and episode.attrs["total_steps"] == count
            assert same(episode["observations/state"][()], np.stack([o.state for o in seen]))
            assert same(episode["observations/image"][()], np.stack([o.image for o in seen]))
            assert same(episode["actions"][()], np.stack([step.action for step in steps]))
            assert episode["rewards"][()].tolist() == [step.reward for step in steps]
            assert episode["truncations"][()].tolist() == [step.truncated for step in steps]
            assert not episode["terminations"][()].any()
            assert len(episode["infos/success"]) == count + 1


def test_minari_refuses_a_name_that_is_no_dataset_id_and_observations_that_do_not_chain(
    runs: Runs, tmp_path: Path
) -> None:
    steps = runs.transitions(0, session="a")
    mixed = [*steps[:5], *runs.transitions(1, session="a")[5:]]
    runs.record("a", 0, samples=runs.samples([_of_episode(step, 0) for step in mixed]))
    with pytest.raises(DatasetError, match="usb-v0"):
        minari.write(tmp_path / "usb", trajectories(runs))
    with pytest.raises(DatasetError, match="export it as robomimic"):
        minari.write(tmp_path / "usb-v0", trajectories(runs))


def _of_episode(step: Transition, episode: int) -> Transition:
    return dataclasses.replace(step, episode=episode)


# -- LeRobotDataset v3.0: https://huggingface.co/docs/lerobot/lerobot-dataset-v3


def test_lerobot_folder_has_the_documented_structure_and_the_recorded_numbers(pictures: Runs, tmp_path: Path) -> None:
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(pictures))
    info = json.loads((out / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 10 and info["robot_type"] == "ur5"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (2, 10, 1)
    assert info["features"][IMAGE]["dtype"] == "video" and info["features"][IMAGE]["shape"] == [48, 64, 3]
    rows = pq.read_table(out / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(info["features"]) - {IMAGE} == set(rows.column_names)
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    for name, expected in {
        "observation.state": [step.observation.state for step in steps],
        "next.observation.state": [step.next_observation.state for step in steps],
        "action": [step.action for step in steps],
    }.items():
        values = rows[name].combine_chunks()
        assert same(values.flatten().to_numpy().reshape(10, -1), np.stack(expected))
        assert info["features"][name]["dtype"] == "float32" and info["features"][name]["shape"] == [
            values.type.list_size
        ]
    assert rows["next.reward"].to_pylist() == [step.reward for step in steps]
    assert rows["next.truncated"].to_pylist() == [step.truncated for step in steps]
    assert rows["tenon.stamp_ns"].to_pylist() == [step.stamp_ns for step in steps]
    assert rows["index"].to_pylist() == list(range(10))
    assert rows["episode_index"].to_pylist() == [0] * 6 + [1] * 4
    assert rows["frame_index"].to_pylist() == [*range(6), *range(4)]
    assert np.allclose(rows["timestamp"].to_numpy(), np.array([*range(6), *range(4)]) / 10)
    episodes = pq.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(e["length"], e["dataset_from_index"], e["dataset_to_index"]) for e in episodes] == [(6, 0, 6), (4, 6, 10)]
    assert [e["tasks"] for e in episodes] == [["usb"], ["usb"]]
    assert [e[f"videos/{IMAGE}/from_timestamp"] for e in episodes] == [0.0, 0.6]
    assert [e[f"videos/{IMAGE}/to_timestamp"] for e in episodes] == [0.6, 1.0]
    tasks = pq.read_table(out / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["__index_level_0__"]
    assert tasks.to_pylist() == [{"task_index": 0, "__index_level_0__": "usb"}]


def test_lerobot_statistics_are_those_of_the_arrays(pictures: Runs, tmp_path: Path) -> None:
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(pictures))
    stats = json.loads((out / "meta/stats.json").read_text())
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    states = np.stack([step.observation.state for step in steps]).astype(np.float64)
    found = stats["observation.state"]
    for name, expected in {
        "min": states.min(0),
        "max": states.max(0),
        "mean": states.mean(0),
        "std": states.std(0),
        "q10": np.quantile(states, 0.1, axis=0),
    }.items():
        assert np.allclose(found[name], expected), name
    assert found["count"] == [10]
    images = np.stack([step.observation.image for step in steps]) / 255.0
    found = stats[IMAGE]
    assert np.array(found["mean"]).shape == (3, 1, 1)
    for name in ("min", "max", "mean", "std"):
        assert np.allclose(np.ravel(found[name]), getattr(images, name)(axis=(0, 1, 2))), name
    below = [(images[..., c] <= found["q50"][c][0][0] + 1e-9).mean() for c in range(3)]
    under = [(images[..., c] < found["q50"][c][0][0] - 1e-9).mean() for c in range(3)]
    assert all(share >= 0.5 for share in below) and all(share < 0.5 for share in under)
    assert found["count"] == [10]


def test_lerobot_video_is_within_the_error_that_is_stated(pictures: Runs, tmp_path: Path) -> None:
    out = tmp_path / "lerobot"
    report = lerobot_write.write(out, trajectories(pictures))
    with av.open(str(out / "videos" / IMAGE / "chunk-000/file-000.mp4")) as container:
        stored = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    difference = np.abs(stored.astype(int) - np.stack([step.observation.image for step in steps]))
    stated = json.loads((out / "meta/tenon.json").read_text())["image_error"]
    assert stated["most"] == difference.max() and stated["mean"] == pytest.approx(difference.mean())
    assert 0 < difference.mean() < 5.0
    assert any(f"at most {stated['most']}" in note for note in report.notes)


def test_lerobot_png_images_are_bit_by_bit(pictures: Runs, tmp_path: Path) -> None:
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(pictures), LeRobotConfig(images="png"))
    info = json.loads((out / "meta/info.json").read_text())
    assert info["features"][IMAGE]["dtype"] == "image" and info["video_path"] is None
    rows = pq.read_table(out / "data/chunk-000/file-000.parquet")
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    for entry, step in zip(rows[IMAGE].to_pylist(), steps, strict=True):
        image = cv2.imdecode(np.frombuffer(entry["bytes"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(image, step.observation.image)


def test_lerobot_needs_a_frame_rate_and_even_sizes(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs", image=(47, 64))
    runs.record("a", 0, steps=2)
    with pytest.raises(DatasetError, match="--images png"):
        lerobot_write.write(tmp_path / "out", trajectories(runs))
    lerobot_write.write(tmp_path / "out", trajectories(runs), LeRobotConfig(images="png"))
    runs.record("b", 0, steps=1)
    with pytest.raises(DatasetError, match="--fps 10"):
        lerobot_write.write(tmp_path / "single", trajectories(runs, "b"), LeRobotConfig(images="png"))
    report = lerobot_write.write(tmp_path / "five", trajectories(runs), LeRobotConfig(images="png", fps=5))
    assert "5 frames a second" in report.notes[0] and "0.100 s off" in report.notes[0]


def test_state_and_action_of_one_number_become_plain_columns(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs", state_size=1, action_size=1)
    runs.record("a", 0)
    lerobot_write.write(tmp_path / "out", trajectories(runs))
    rows = pq.read_table(tmp_path / "out/data/chunk-000/file-000.parquet")
    steps = recorded(runs, 0, 10)
    assert same(rows["action"].to_numpy(), np.array([step.action[0] for step in steps]))
    assert json.loads((tmp_path / "out/meta/info.json").read_text())["features"]["action"]["shape"] == [1]


def test_goals_that_were_reached_are_exported(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs")
    goals = np.arange(30, dtype=np.float32).reshape(10, 3)
    steps = [
        dataclasses.replace(step, next_observation=dataclasses.replace(step.next_observation, achieved_goal=goal))
        for step, goal in zip(runs.transitions(0, session="a"), goals, strict=True)
    ]
    runs.record("a", 0, samples=runs.samples(steps))
    robomimic.write(tmp_path / "a.hdf5", trajectories(runs))
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert same(file["data/demo_0/next_achieved_goal"][()], goals)
    lerobot_write.write(tmp_path / "lerobot", trajectories(runs))
    rows = pq.read_table(tmp_path / "lerobot/data/chunk-000/file-000.parquet")
    assert same(rows["next.achieved_goal"].combine_chunks().flatten().to_numpy().reshape(10, 3), goals)
