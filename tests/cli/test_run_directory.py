"""A run directory is used once, by one session at a time, and never half written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tenon.cli import run_directory as runs
from tenon.cli.errors import CommandError, UsageError
from tenon.configuration import Config, load_yaml


class Settings(Config):
    name: str = "sim"
    seed: int = 0
    episodes: int = 10


def test_resolved_session_is_written_whole(tmp_path: Path) -> None:
    file = runs.create(tmp_path / "run", Settings(seed=4))
    assert load_yaml(file) == {"name": "sim", "seed": 4, "episodes": 10}
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == [runs.SESSION_FILE]


def test_used_directory_is_refused(tmp_path: Path) -> None:
    runs.create(tmp_path, Settings())
    with pytest.raises(UsageError, match="--resume"):
        runs.create(tmp_path, Settings())


def test_next_free_directory_and_the_newest_used_one_are_found(tmp_path: Path) -> None:
    base = tmp_path / "sim"
    assert runs.first_free(base) == runs.newest(base) == base
    for name in ("sim", "sim-2", "sim-3"):
        assert runs.first_free(base).name == name
        runs.create(runs.first_free(base), Settings())
        assert runs.newest(base).name == name
    runs.create(tmp_path / "sim-old", Settings())
    shutil.rmtree(tmp_path / "sim")
    shutil.rmtree(tmp_path / "sim-2")
    assert runs.newest(base).name == "sim-3"
    assert runs.first_free(base).name == "sim-4"


def test_start_that_failed_is_not_gone_on_with(tmp_path: Path) -> None:
    base = tmp_path / "sim"
    runs.create(base, Settings())
    (base / "episodes").mkdir()
    runs.create(runs.first_free(base), Settings())
    assert runs.newest(base) == base
    assert runs.first_free(base).name == "sim-3"


def test_foreign_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.pdf").touch()
    with pytest.raises(UsageError, match="no run of Tenon"):
        runs.require_unused(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.pdf"]


def test_resume_takes_what_was_stored(tmp_path: Path) -> None:
    runs.create(tmp_path, Settings(seed=4))
    assert runs.stored_session(tmp_path, {}) == {"name": "sim", "seed": 4, "episodes": 10}


def test_resume_may_ask_for_more_episodes(tmp_path: Path) -> None:
    runs.create(tmp_path, Settings())
    assert runs.stored_session(tmp_path, {"episodes": 20})["episodes"] == 20


def test_resume_with_other_settings_is_refused_and_names_them(tmp_path: Path) -> None:
    runs.create(tmp_path, Settings(seed=4))
    with pytest.raises(UsageError, match="seed is 4 there, 5 was asked for"):
        runs.stored_session(tmp_path, {"seed": 5})


def test_locked_directory_is_refused_with_the_holder(tmp_path: Path) -> None:
    with runs.locked(tmp_path), pytest.raises(UsageError, match=f"process {os.getpid()}"), runs.locked(tmp_path):
        pass


def test_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with runs.locked(tmp_path):
        pass
    with runs.locked(tmp_path):
        pass


def test_unwritable_place_is_an_error_for_operators(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"), runs.locked(tmp_path / "file" / "run"):
        pass
