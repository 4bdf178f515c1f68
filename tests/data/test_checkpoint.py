"""Checkpoints come back exactly or not at all."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.data.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointFolder,
    DamagedCheckpointError,
    OtherCheckpointError,
    load_checkpoint,
    save_checkpoint,
)

SPEC = {"action_size": 2}


def _checkpoint(updates: int = 0) -> Checkpoint:
    rng, generator = np.random.default_rng(updates), torch.Generator().manual_seed(updates)
    return Checkpoint(
        method="sac",
        config={"discount": 0.98},
        spec=SPEC,
        counters={"updates": updates},
        tensors={"w": torch.randn(3, 2, generator=generator), "empty": torch.zeros(0), "count": torch.tensor(4)},
        values={"steps": {"critic": 3}},
        numpy_generators={"exploration": dict(rng.bit_generator.state)},
        torch_generators={"noise": generator.get_state()},
    )


def test_everything_comes_back_exactly(tmp_path: Path) -> None:
    saved = _checkpoint(7)
    save_checkpoint(tmp_path / "c", saved)
    loaded = load_checkpoint(tmp_path / "c", method="sac", spec=SPEC)
    for name in ("method", "config", "spec", "counters", "values", "numpy_generators"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert loaded.tensors.keys() == saved.tensors.keys()
    assert all(torch.equal(loaded.tensors[name], saved.tensors[name]) for name in saved.tensors)
    own, other = torch.Generator(), torch.Generator()
    own.set_state(saved.torch_generators["noise"])
    other.set_state(loaded.torch_generators["noise"])
    assert torch.equal(torch.rand(5, generator=own), torch.rand(5, generator=other))
    rng = np.random.default_rng()
    rng.bit_generator.state = loaded.numpy_generators["exploration"]
    assert rng.random() == np.random.default_rng(7).random()


def test_checkpoint_of_another_method_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", _checkpoint())
    with pytest.raises(OtherCheckpointError, match="checkpoint of 'sac', 'td3' is asked for"):
        load_checkpoint(tmp_path / "c", method="td3")


def test_checkpoint_of_other_sizes_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", _checkpoint())
    with pytest.raises(OtherCheckpointError, match="was learnt with"):
        load_checkpoint(tmp_path / "c", spec={"action_size": 3})


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["tensors.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink], ids=["cut", "flipped", "gone"])
def test_damaged_file_is_named(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    save_checkpoint(tmp_path / "c", _checkpoint())
    damage(tmp_path / "c" / name)
    with pytest.raises(DamagedCheckpointError, match=rf"{name}.*earlier checkpoint"):
        load_checkpoint(tmp_path / "c")


def test_altered_manifest_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", _checkpoint())
    path = tmp_path / "c" / "manifest.json"
    data = json.loads(path.read_text())
    data["counters"]["updates"] = 9
    path.write_text(json.dumps(data))
    with pytest.raises(DamagedCheckpointError, match="hash"):
        load_checkpoint(tmp_path / "c")


def test_folder_keeps_the_newest_two(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for updates in (5, 10, 15):
        folder.save(updates, _checkpoint(updates))
    assert folder.updates() == [10, 15]
    newest = folder.load_newest(method="sac", spec=SPEC)
    assert newest is not None and newest.counters == {"updates": 15}


def test_damaged_newest_gives_way_to_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = CheckpointFolder(tmp_path)
    for updates in (5, 10):
        folder.save(updates, _checkpoint(updates))
    _cut(folder.path(10) / "tensors.safetensors")
    newest = folder.load_newest(method="sac", spec=SPEC)
    assert newest is not None and newest.counters == {"updates": 5}
    assert "cut off" in caplog.text
    folder.save(10, _checkpoint(10))
    newest = folder.load_newest(method="sac", spec=SPEC)
    assert newest is not None and newest.counters == {"updates": 10}
    _cut(folder.path(10) / "tensors.safetensors")
    _cut(folder.path(5) / "tensors.safetensors")
    with pytest.raises(DamagedCheckpointError, match="no checkpoint can be used"):
        folder.load_newest(method="sac", spec=SPEC)


def test_empty_folder_has_none(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "nothing").load_newest(method="sac", spec=SPEC) is None


def test_full_disk_leaves_the_earlier_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = CheckpointFolder(tmp_path)
    folder.save(5, _checkpoint(5))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(CheckpointError, match="Earlier checkpoints are untouched"):
            folder.save(10, _checkpoint(10))
    assert [path.name for path in tmp_path.iterdir()] == [folder.path(5).name]
    assert folder.load_newest(method="sac", spec=SPEC) is not None


def test_folder_left_by_a_crash_is_no_checkpoint(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(5, _checkpoint(5))
    half = tmp_path / (folder.path(10).name + ".new")
    half.mkdir()
    (half / "manifest.json").write_text("{")
    assert folder.updates() == [5]
    folder.save(10, _checkpoint(10))
    assert folder.updates() == [5, 10]
