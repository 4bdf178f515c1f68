"""A policy is handed over as a whole, and what was there before stays until it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tenon.cli.errors import CommandError
from tenon.cli.handing_over import hand_over


def folder(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / "weights").write_text(content)
    return path


def test_new_policy_takes_the_place_of_the_old_one_and_leaves_nothing_beside(tmp_path: Path) -> None:
    for content in ("old", "new"):
        hand_over(folder(tmp_path / content, content), tmp_path / "run" / "best")
        assert (tmp_path / "run" / "best" / "weights").read_text() == content
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["best"]


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append(f"{path.name} -> {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    folder(tmp_path / "run" / "best", "old")
    hand_over(folder(tmp_path / "new", "new"), tmp_path / "run" / "best")
    assert done[:5] == ["weights", ".best.new", "best -> .best.old", ".best.new -> best", "run"]


def test_old_policy_survives_a_copy_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path / "run" / "best", "old")

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(CommandError, match=r"No space left .* is untouched: free some space and resume"):
        hand_over(folder(tmp_path / "new", "new"), place)
    assert (place / "weights").read_text() == "old"


def test_power_cut_between_the_two_names_loses_neither(tmp_path: Path) -> None:
    aside = folder(tmp_path / "run" / ".best.old", "old")
    with pytest.raises(CommandError):
        hand_over(tmp_path / "nothing", tmp_path / "run" / "best")
    assert (tmp_path / "run" / "best" / "weights").read_text() == "old"
    assert not aside.exists()
