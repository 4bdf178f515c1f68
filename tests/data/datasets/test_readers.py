"""The formats' own readers open what is exported and find the recorded arrays. Each needs its package.

Minari is light and always there. robomimic and lerobot pin versions of torch that Tenon does not use, so they are tried
where somebody installed them (docs/datasets.md); what they read is checked without them in ``test_exports``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from tenon.data.exchange import lerobot_write, minari
from tenon.data.exchange import robomimic as robomimic_export
from tenon.data.exchange.lerobot_write import LeRobotConfig

from .conftest import Runs
from .test_exports import IMAGE, recorded, trajectories


@pytest.fixture
def pictures(tmp_path: Path) -> Runs:
    runs = Runs(tmp_path / "runs", image=(48, 64))
    runs.record("a", 0, steps=6)
    runs.record("a", 1, steps=4, success=False)
    return runs


def test_minari_reads_its_dataset(pictures: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pytest.importorskip("minari")
    minari.write(tmp_path / "usb-v0", trajectories(pictures))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = reader.load_dataset("usb-v0")
    assert (dataset.total_episodes, dataset.total_steps) == (2, 10)
    assert dataset.observation_space["image"].shape == (48, 64, 3) and dataset.action_space.shape == (2,)
    for episode, count in zip(dataset.iterate_episodes(), (6, 4), strict=True):
        steps = recorded(pictures, int(episode.id), count)
        seen = [steps[0].observation, *(step.next_observation for step in steps)]
        assert np.array_equal(episode.observations["state"], np.stack([o.state for o in seen]))
        assert np.array_equal(episode.observations["image"], np.stack([o.image for o in seen]))
        assert np.array_equal(episode.actions, np.stack([step.action for step in steps]))
        assert episode.rewards.tolist() == [step.reward for step in steps]
        assert episode.truncations.tolist() == [step.truncated for step in steps]
        for flag in ("success", "human"):
            assert episode.infos[flag].tolist() == [False, *(getattr(step, flag) for step in steps)]
        assert dataset.observation_space.contains({name: values[0] for name, values in episode.observations.items()})


def test_minari_reads_states_alone(runs: Runs, tmp_path: Path) -> None:
    reader = pytest.importorskip("minari")
    runs.record("a", 0)
    minari.write(tmp_path / "usb-v0", trajectories(runs))
    dataset = reader.MinariDataset(tmp_path / "usb-v0/data")
    (episode,) = dataset.iterate_episodes()
    assert episode.observations.shape == (11, 4) and dataset.observation_space.contains(episode.observations[0])


def test_robomimic_reads_its_file(pictures: Runs, tmp_path: Path) -> None:
    pytest.importorskip("robomimic")
    import robomimic.utils.file_utils as files
    import robomimic.utils.obs_utils as observations
    from robomimic.utils.dataset import SequenceDataset

    path = tmp_path / "a.hdf5"
    robomimic_export.write(path, trajectories(pictures))
    observations.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": ["state"], "rgb": ["image"]}})
    assert files.get_env_metadata_from_dataset(str(path))["env_name"] == "usb"
    shapes = files.get_shape_metadata_from_dataset(str(path), all_obs_keys=["state", "image"])
    assert shapes["ac_dim"] == 2 and shapes["all_shapes"]["state"] == [4]
    keys = ("actions", "rewards", "dones")
    dataset = SequenceDataset(str(path), ("state", "image"), keys, hdf5_cache_mode="low_dim", load_next_obs=True)
    assert len(dataset) == 10 and dataset.demos == ["demo_0", "demo_1"]
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    for index, step in enumerate(steps):
        item = dataset[index]
        assert np.array_equal(item["obs"]["state"][0], step.observation.state)
        assert np.array_equal(item["obs"]["image"][0], step.observation.image)
        assert np.array_equal(item["next_obs"]["state"][0], step.next_observation.state)
        assert np.array_equal(item["actions"][0], step.action)
        assert item["rewards"][0] == step.reward
    successes = SequenceDataset(str(path), ("state",), keys, filter_by_attribute="success", hdf5_cache_mode="low_dim")
    assert len(successes) == 6


@pytest.mark.parametrize("images", ["png", "video"])
def test_lerobot_reads_its_folder(pictures: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Any) -> None:
    pytest.importorskip("lerobot")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    from lerobot.datasets import lerobot_dataset

    out = tmp_path / "lerobot"
    lerobot_write.write(out, trajectories(pictures), LeRobotConfig(images=images))
    # Its own decoder needs FFmpeg's libraries on the machine; where it looks, and when, is what matters here.
    monkeypatch.setattr(lerobot_dataset, "decode_video_frames", _decode)
    dataset = lerobot_dataset.LeRobotDataset("tenon/usb", root=out, video_backend="pyav")
    assert (len(dataset), dataset.num_episodes, dataset.fps) == (10, 2, 10)
    assert dataset.meta.camera_keys == [IMAGE] and dataset.meta.stats[IMAGE]["mean"].shape == (3, 1, 1)
    steps = [*recorded(pictures, 0, 6), *recorded(pictures, 1, 4)]
    for index, step in enumerate(steps):
        item = dataset[index]
        assert np.array_equal(item["observation.state"].numpy(), step.observation.state)
        assert np.array_equal(item["action"].numpy(), step.action)
        assert item["next.reward"].item() == step.reward and item["task"] == "usb"
        image = (item[IMAGE].numpy() * 255.0).round().astype(int).transpose(1, 2, 0)
        difference = np.abs(image - step.observation.image)
        assert difference.max() == 0 if images == "png" else difference.mean() < 5.0
    chunk = lerobot_dataset.LeRobotDataset(
        "tenon/usb", root=out, video_backend="pyav", episodes=[1], delta_timestamps={"action": [0.0, 0.1]}
    )
    assert len(chunk) == 4 and torch.equal(chunk[0]["action"][1], torch.from_numpy(steps[7].action))


def _decode(path: Path, timestamps: list[float], tolerance_s: float, backend: str | None = None) -> torch.Tensor:
    """The frames at these times, (n, 3, height, width) of 0 to 1, as LeRobot's decoders give them."""
    with av.open(str(path)) as container:
        frames = {frame.time: frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)}
    found = []
    for wanted in timestamps:
        nearest = min(frames, key=lambda time: abs(time - wanted))
        assert abs(nearest - wanted) < tolerance_s
        found.append(torch.from_numpy(frames[nearest]).permute(2, 0, 1) / 255.0)
    return torch.stack(found)
