"""Lending a run's policy to an evaluation, without changing the run."""

from __future__ import annotations

import shutil
from pathlib import Path

from tenon.cli.errors import UsageError

CHECKPOINTS = "checkpoints"


def checkpoint_of(run_directory: Path) -> Path:
    """The newest checkpoint of a run. Raises UsageError when it has none."""
    folder = run_directory / CHECKPOINTS
    found = sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise UsageError(f"{run_directory} has no checkpoint in {folder}: train first, or name a --checkpoint")
    return found[-1]


def lend_checkpoint(source: Path, run_directory: Path) -> None:
    """Copies a checkpoint to where the trainer of another run looks for its own. Raises UsageError for a bad one."""
    if not source.is_dir():
        raise UsageError(f"{source}: no such checkpoint; a directory is needed")
    shutil.copytree(source, run_directory / CHECKPOINTS / source.name)
