"""Imported data are what the foreign dataset holds, as prior data that a learner trains on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tenon.configuration import ConfigurationError
from tenon.data.edit.output import DatasetError
from tenon.data.episodes import EpisodeOutcome
from tenon.data.exchange import lerobot_layout, lerobot_video, lerobot_write, robomimic
from tenon.data.exchange.importing import ImageSize, ImportConfig, Manifest, import_dataset
from tenon.data.exchange.lerobot_read import LeRobotFolder
from tenon.data.exchange.lerobot_write import LeRobotConfig
from tenon.data.exchange.robomimic import RobomimicFile
from tenon.data.images import resize
from tenon.data.prior import read_prior
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec, Transition
from tenon.experiments.prior_data import data_folder

from .conftest import Runs, assert_same_steps
from .test_exports import trajectories

NOT_CARRIED = ("session", "policy_version")


def stored(out: Path, spec: EnvironmentSpec | None = None) -> list[Transition]:
    """As ``tenon train --data out`` reads it."""
    spec, folder = data_folder(out, spec)
    return list(read_prior(folder, spec))


def foreign(path: Path, demos: int = 2, steps: int = 5, **extra: object) -> Path:
    """A robomimic file as robosuite's tools make it: several vectors, float64, no next_obs, and no flags of ours."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.create_group("data").attrs["total"] = demos * steps
        for number in range(demos):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = steps
            demo["actions"] = rng.uniform(-1.0, 1.0, (steps, 3))
            demo["obs/eef_pos"], demo["obs/joints"] = rng.normal(size=(steps, 3)), rng.normal(size=(steps, 7))
            for key, value in extra.items():
                demo[key] = value
    return path


def driven_by_hand(runs: Runs) -> list[Transition]:
    """Two episodes, recorded; a person drove some steps, and the second one fails."""
    all_steps: list[Transition] = []
    for number in range(2):
        steps = runs.transitions(number, 5, success=number == 0, session="a")
        steps = [dataclasses.replace(step, human=step.step > 2) for step in steps]
        outcome = EpisodeOutcome(result="timeout" if number else "success")
        runs.record("a", number, samples=runs.samples(steps), outcome=outcome)
        all_steps += steps
    return all_steps


def test_robomimic_export_comes_back_bit_by_bit(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs", image=(12, 16))
    expected = driven_by_hand(runs)
    path = tmp_path / "a.hdf5"
    robomimic.write(path, trajectories(runs))
    manifest = import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig())
    assert (manifest.episodes, manifest.transitions, manifest.session) == (2, 10, "robomimic:a.hdf5")
    assert_same_steps(stored(tmp_path / "out"), expected, ignore=NOT_CARRIED)
    assert Manifest.model_validate_json((tmp_path / "out/import.json").read_text()) == manifest


def test_lerobot_dataset_of_many_files_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As large ones have: here every episode fills a file of rows, and every two a file of video."""
    monkeypatch.setattr(lerobot_layout, "DATA_FILE_MIB", 0)
    monkeypatch.setattr(lerobot_layout, "FILES_PER_CHUNK", 2)
    monkeypatch.setattr(lerobot_video, "_MOST_RAW_BYTES", 7 * 48 * 64 * 3)
    runs = Runs(tmp_path / "runs", image=(48, 64))
    for number in range(5):
        runs.record("a", number, steps=4)
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(runs), LeRobotConfig(video_quality=10))
    assert len(list((out / "data").rglob("*.parquet"))) == 5 and len(list((out / "videos").rglob("*.mp4"))) == 3
    assert (out / "data/chunk-002/file-000.parquet").exists()
    import_dataset(LeRobotFolder(out), out, tmp_path / "out", ImportConfig())
    expected = [step for number in range(5) for step in runs.transitions(number, 4, session="a")]
    for step, original in zip(stored(tmp_path / "out"), expected, strict=True):
        assert np.array_equal(step.observation.state, original.observation.state)
        # A frame of another step is far off: each picture has tints of its own.
        assert np.abs(step.observation.image.astype(int) - original.observation.image).mean() < 3.0


@pytest.mark.parametrize("images", ["png", "video"])
def test_lerobot_export_comes_back(tmp_path: Path, images: str) -> None:
    runs = Runs(tmp_path / "runs", image=(48, 64))
    expected = driven_by_hand(runs)
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(runs), LeRobotConfig(images=images))
    import_dataset(LeRobotFolder(out), out, tmp_path / "out", ImportConfig())
    found = stored(tmp_path / "out")
    if images == "png":
        assert_same_steps(found, expected, ignore=(*NOT_CARRIED, "next_observation"))
    for step, original in zip(found, expected, strict=True):
        assert np.array_equal(step.next_observation.state, original.next_observation.state)
        # LeRobot holds one image per step: that after the last one is missing.
        image = original.observation.image if step.step == 4 else original.next_observation.image
        most = 0 if images == "png" else json.loads((out / "meta/tenon.json").read_text())["image_error"]["most"]
        assert np.abs(step.next_observation.image.astype(int) - image).max() <= most
        assert np.abs(step.observation.image.astype(int) - original.observation.image).max() <= most


@pytest.mark.parametrize("images", ["png", "video"])
def test_lerobot_camera_that_says_its_channels_first_is_read(tmp_path: Path, images: str) -> None:
    """As datasets have it whose features are written as a policy sees them: the names of the axes tell."""
    runs = Runs(tmp_path / "runs", image=(48, 64))
    runs.record("a", 0, steps=3)
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(runs), LeRobotConfig(images=images))
    info = json.loads((out / "meta/info.json").read_text())
    info["features"][lerobot_layout.IMAGE] |= {"shape": [3, 48, 64], "names": ["channels", "height", "width"]}
    (out / "meta/info.json").write_text(json.dumps(info))
    import_dataset(LeRobotFolder(out), out, tmp_path / "out", ImportConfig())
    for step, original in zip(stored(tmp_path / "out"), runs.transitions(0, 3, session="a"), strict=True):
        assert np.abs(step.observation.image.astype(int) - original.observation.image).mean() < 5.0


def test_foreign_robomimic_file_without_rewards_becomes_demonstrations(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    manifest = import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig())
    assert manifest.state_keys == ("eef_pos", "joints")
    found = stored(tmp_path / "out")
    with h5py.File(path) as file:
        demo = file["data/demo_1"]
        states = np.concatenate((demo["obs/eef_pos"], demo["obs/joints"]), axis=1).astype(np.float32)
        actions = demo["actions"][()].astype(np.float32)
    second = found[5:]
    assert np.array_equal(np.stack([step.observation.state for step in second]), states)
    assert np.array_equal(np.stack([step.next_observation.state for step in second[:-1]]), states[1:])
    assert np.array_equal(np.stack([step.action for step in second]), actions)
    assert [step.truncated for step in second] == [False] * 4 + [True] and not any(step.terminated for step in found)


def test_done_marks_end_an_episode_only_at_its_last_step_and_a_timeout_is_no_termination(tmp_path: Path) -> None:
    dones, rewards = np.array([0, 1, 0, 1, 1]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    paid = foreign(tmp_path / "paid.hdf5", 1, dones=dones, rewards=rewards)
    import_dataset(RobomimicFile(paid), paid, tmp_path / "a", ImportConfig())
    found = stored(tmp_path / "a")
    assert [step.terminated for step in found] == [False] * 4 + [True] and not any(step.truncated for step in found)
    assert [step.success for step in found] == [False, True, False, True, True]
    unpaid = foreign(tmp_path / "unpaid.hdf5", 1, dones=np.array([0, 0, 0, 0, 1]), rewards=np.zeros(5))
    import_dataset(RobomimicFile(unpaid), unpaid, tmp_path / "b", ImportConfig())
    assert stored(tmp_path / "b")[-1].truncated and not stored(tmp_path / "b")[-1].terminated


def test_state_keys_are_chosen_and_ordered_by_the_user(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig(state_keys=("joints",)))
    assert len(stored(tmp_path / "out")[0].observation.state) == 7
    with pytest.raises(DatasetError, match=r"has no wrist\. Its vectors are: eef_pos, joints: use --state-keys"):
        import_dataset(RobomimicFile(path), path, tmp_path / "b", ImportConfig(state_keys=("wrist",)))


def test_actions_outside_the_box_are_refused_and_rescaled_on_demand(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            demo["actions"][...] = demo["actions"][()] * [4.0, 0.5, 0.0] + [0.0, 0.0, 2.0]
        low = np.min([demo["actions"][()].min(0) for demo in file["data"].values()], axis=0)
        high = np.max([demo["actions"][()].max(0) for demo in file["data"].values()], axis=0)
        raw = np.concatenate([demo["actions"][()] for demo in file["data"].values()])
    with pytest.raises(DatasetError, match=r"actions reach from -[34]\..* to .*: --rescale-actions"):
        import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig())
    assert not (tmp_path / "out").exists()
    manifest = import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig(rescale_actions=True))
    assert manifest.action_low == pytest.approx(tuple(low)) and manifest.action_high == pytest.approx(tuple(high))
    action = np.stack([step.action for step in stored(tmp_path / "out")])
    assert action.min(0)[:2].tolist() == [-1.0, -1.0] and action.max(0)[:2].tolist() == [1.0, 1.0]
    assert not action[:, 2].any()  # An entry that never changes.
    assert np.allclose(low[:2] + (action[:, :2] + 1.0) / 2.0 * (high - low)[:2], raw[:, :2], atol=1e-6)


def test_images_are_brought_to_the_size_asked_for_and_several_cameras_need_a_choice(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    cameras = {f"obs/{name}": rng.integers(0, 255, (5, 20, 24, 3), dtype=np.uint8) for name in ("front", "wrist")}
    path = foreign(tmp_path / "demo.hdf5", 1, **cameras)
    with pytest.raises(DatasetError, match=r"several cameras.* --image-key front\|wrist\|none"):
        import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig())
    config = ImportConfig(image_key="wrist", image_size=ImageSize(height=10, width=12))
    import_dataset(RobomimicFile(path), path, tmp_path / "out", config)
    found = stored(tmp_path / "out")
    assert np.array_equal(found[2].observation.image, resize(cameras["obs/wrist"][2], 10, 12))
    import_dataset(RobomimicFile(path), path, tmp_path / "none", ImportConfig(image_key="none"))
    assert stored(tmp_path / "none")[0].observation.image is None


def test_data_must_fit_the_environment_that_they_are_for(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    scale = tuple([0.1] * 10)
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=10, state_scale=scale), action_size=3)
    import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig(), spec)
    assert data_folder(tmp_path / "out", spec)[0] == spec
    camera = ObservationSpec(state_size=10, image=ImageSpec(height=8, width=8, channels=3))
    with pytest.raises(DatasetError, match=r"the environment asks for 10, .*height=8"):
        import_dataset(
            RobomimicFile(path),
            path,
            tmp_path / "b",
            ImportConfig(),
            EnvironmentSpec(observation=camera, action_size=3),
        )
    with pytest.raises(ConfigurationError):
        data_folder(tmp_path / "b", None)


def test_numbers_that_no_learner_can_use_are_refused_with_their_place(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    with h5py.File(path, "a") as file:
        file["data/demo_1/obs/joints"][3, 2] = np.nan
    with pytest.raises(DatasetError, match="episode 1, step 2: next observation"):
        import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["demo.hdf5"]


def test_what_is_no_dataset_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.hdf5").write_text("hello")
    with pytest.raises(DatasetError, match="cannot be opened as HDF5"):
        RobomimicFile(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "empty.hdf5", "w"):
        pass
    with pytest.raises(DatasetError, match="no group data/demo_0"):
        RobomimicFile(tmp_path / "empty.hdf5")
    with pytest.raises(DatasetError, match="is no LeRobotDataset"):
        LeRobotFolder(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps({"codebase_version": "v2.1", "features": {}}))
    with pytest.raises(DatasetError, match=r"is a LeRobotDataset v2\.1, v3\.0 is read: convert it"):
        LeRobotFolder(tmp_path)


def test_robomimic_demonstration_that_lacks_its_actions_is_named(tmp_path: Path) -> None:
    path = foreign(tmp_path / "demo.hdf5")
    with h5py.File(path, "a") as file:
        del file["data/demo_1/actions"]
    with pytest.raises(DatasetError, match="data/demo_1 has obs, obs and actions are needed"):
        RobomimicFile(path)


@pytest.mark.parametrize("which", ["data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"])
@pytest.mark.parametrize("damage", ["pointer", "cut"])
def test_lerobot_file_that_git_lfs_has_not_fetched_or_that_is_cut_off_is_named(
    tmp_path: Path, which: str, damage: str
) -> None:
    runs = Runs(tmp_path / "runs")
    runs.record("a", 0)
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(runs))
    whole = (out / which).read_bytes()
    (out / which).write_bytes(b"version https://git-lfs.github.com/spec/v1\n" if damage == "pointer" else whole[:-100])
    with pytest.raises(DatasetError, match=r"(?s)file-000\.parquet: cannot be read: .*git lfs pull"):
        LeRobotFolder(out).layout()


def test_lerobot_dataset_that_lost_frames_is_refused(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs")
    runs.record("a", 0)
    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(runs))
    import pyarrow.parquet as pq

    path = out / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 8), path)
    with pytest.raises(DatasetError, match="holds 8 frames of episode 0, not 10"):
        import_dataset(LeRobotFolder(out), out, tmp_path / "out", ImportConfig())
    assert not (tmp_path / "out").exists()


def test_goals_come_back_where_the_environment_has_some(tmp_path: Path) -> None:
    from tenon.data.transitions import GoalSpec

    runs = Runs(tmp_path / "runs")
    goals = np.arange(20, dtype=np.float32).reshape(10, 2)
    steps = [
        dataclasses.replace(step, next_observation=dataclasses.replace(step.next_observation, achieved_goal=goal))
        for step, goal in zip(runs.transitions(0, session="a"), goals, strict=True)
    ]
    runs.record("a", 0, samples=runs.samples(steps))
    path = tmp_path / "a.hdf5"
    robomimic.write(path, trajectories(runs))
    goal = GoalSpec(size=2, tolerance=0.1, reward="all_reached")
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=4, goal=goal), action_size=2)
    import_dataset(RobomimicFile(path), path, tmp_path / "out", ImportConfig(), spec)
    assert_same_steps(stored(tmp_path / "out"), steps, ignore=NOT_CARRIED)
    import_dataset(RobomimicFile(path), path, tmp_path / "plain", ImportConfig())
    assert stored(tmp_path / "plain")[0].next_observation.achieved_goal is None
