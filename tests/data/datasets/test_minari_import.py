"""Minari datasets become prior data: our own exports bit by bit, and what Minari itself writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from tenon.data.edit.output import DatasetError
from tenon.data.exchange import minari
from tenon.data.exchange.importing import ImportConfig, import_dataset
from tenon.data.exchange.opening import open_dataset
from tenon.data.transitions import EnvironmentSpec, GoalSpec, ImageSpec, ObservationSpec

from .conftest import Runs, assert_same_steps, picture
from .test_exports import trajectories
from .test_imports import NOT_CARRIED, driven_by_hand, stored

Seen = dict[str, Any]


SPACE = spaces.Dict(
    {
        "achieved_goal": spaces.Box(-9.0, 9.0, (2,), np.float32),
        "desired_goal": spaces.Box(-9.0, 9.0, (2,), np.float32),
        "camera": spaces.Box(0, 255, (48, 64, 3), np.uint8),
        "robot": spaces.Dict({"joints": spaces.Box(-9.0, 9.0, (3,), np.float32)}),
    }
)


def write_by_minari(folder: Path, *, jpeg: bool) -> list[Seen]:
    """Two episodes of five steps by Minari's own writer, the last step paid; what was seen, six times in each."""
    pytest.importorskip("minari")
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    rng, seen = np.random.default_rng(0), []
    (folder / "data").mkdir(parents=True)
    actions = spaces.Box(-3.0, 3.0, (2,), np.float32)
    storage = MinariStorage.new(folder / "data", SPACE, actions, jpeg_encoding=jpeg)
    for number in range(2):
        observed = {
            "achieved_goal": rng.normal(size=(6, 2)).astype(np.float32),
            "desired_goal": rng.normal(size=(6, 2)).astype(np.float32),
            "camera": np.stack([picture(rng, 48, 64) for _ in range(6)]),
            "robot": {"joints": rng.normal(size=(6, 3)).astype(np.float32)},
        }
        seen.append(observed)
        storage.update_episodes(
            [
                EpisodeBuffer(
                    id=number,
                    observations=observed,
                    actions=np.full((5, 2), 3.0, np.float32) * np.array([-1, 1, -1, 1, -1], np.float32)[:, None],
                    rewards=[0.0] * 4 + [1.0],
                    terminations=[False] * 4 + [True],
                    truncations=[False] * 5,
                    infos={},
                )
            ]
        )
    return seen


def test_minari_export_comes_back_bit_by_bit(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs", image=(48, 64))
    expected = driven_by_hand(runs)
    out = tmp_path / "usb-v0"
    minari.write(out, trajectories(runs))
    manifest = import_dataset(open_dataset(out), out, tmp_path / "out", ImportConfig())
    assert (manifest.episodes, manifest.transitions, manifest.session) == (2, 10, "minari:usb-v0")
    assert_same_steps(stored(tmp_path / "out"), expected, ignore=NOT_CARRIED)


def test_states_alone_come_back(runs: Runs, tmp_path: Path) -> None:
    expected = driven_by_hand(runs)
    minari.write(tmp_path / "usb-v0", trajectories(runs))
    data = tmp_path / "usb-v0/data"
    import_dataset(open_dataset(data), data, tmp_path / "out", ImportConfig())
    assert_same_steps(stored(tmp_path / "out"), expected, ignore=NOT_CARRIED)


@pytest.mark.parametrize("jpeg", [True, False])
def test_what_minari_wrote_itself_is_read(tmp_path: Path, jpeg: bool) -> None:
    """A dictionary with a dictionary in it, goals, and images, as JPEG by default."""
    source = tmp_path / "toy-v0"
    seen = write_by_minari(source, jpeg=jpeg)
    config = ImportConfig(state_keys=("robot/joints", "desired_goal"), rescale_actions=True)
    goal = GoalSpec(size=2, tolerance=0.1, reward="all_reached")
    image = ImageSpec(height=48, width=64, channels=3)
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=5, image=image, goal=goal), action_size=2)
    manifest = import_dataset(open_dataset(source), source, tmp_path / "out", config, spec)
    assert (manifest.episodes, manifest.transitions) == (2, 10) and manifest.action_high == (3.0, 3.0)
    found = stored(tmp_path / "out", spec)
    for step in found:
        observed = seen[step.episode]
        states = np.concatenate((observed["robot"]["joints"], observed["desired_goal"]), axis=1)
        assert np.array_equal(step.observation.state, states[step.step])
        assert np.array_equal(step.next_observation.state, states[step.step + 1])
        assert np.array_equal(step.next_observation.achieved_goal, observed["achieved_goal"][step.step + 1])
        off = np.abs(step.next_observation.image.astype(int) - observed["camera"][step.step + 1])
        assert off.mean() < 5.0 if jpeg else off.max() == 0
    assert [step.terminated for step in found] == [step.success for step in found] == ([False] * 4 + [True]) * 2


def test_what_cannot_be_read_is_named(runs: Runs, tmp_path: Path) -> None:
    runs.record("a", 0)
    out = tmp_path / "usb-v0"
    minari.write(out, trajectories(runs))
    main, metadata = out / "data/main_data.hdf5", out / "data/metadata.json"
    with h5py.File(main, "a") as file:
        del file["episode_0/rewards"]
    with pytest.raises(DatasetError, match="episode_0 lacks rewards: the dataset is not whole"):
        open_dataset(out)
    main.write_bytes(main.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"is no Minari dataset that can be read: .*fetch it again"):
        open_dataset(out)
    metadata.write_text(json.dumps({"data_format": "arrow"}))
    with pytest.raises(DatasetError, match="is stored as arrow, hdf5 is read"):
        open_dataset(out)
    metadata.unlink()
    with pytest.raises(DatasetError, match=r"is no LeRobotDataset .* and no Minari dataset"):
        open_dataset(out)
