"""Folders that are put in place as a whole, and survive a power cut once they are there."""

from __future__ import annotations

import shutil
from pathlib import Path

from tenon.cli.errors import CommandError
from tenon.data.checkpoint import CheckpointError, load_checkpoint
from tenon.data.edit.output import sync_tree
from tenon.data.mapped_array import sync_folder


def hand_over(checkpoint: Path, place: Path) -> None:
    """Puts a copy of ``checkpoint`` at ``place``, in the stead of what was there. Raises CommandError.

    What was there is moved aside before the copy gets its name, and removed after that.
    """
    beside, aside = place.with_name(f".{place.name}.new"), place.with_name(f".{place.name}.old")
    try:
        if aside.exists() and not place.exists():
            aside.rename(place)  # a power cut came between the two names
        for left_over in (beside, aside):
            shutil.rmtree(left_over, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(checkpoint, beside)
        sync_tree(beside)
        if place.exists():
            place.rename(aside)
        beside.rename(place)
        for folder in (place.parent, place.parent.parent):
            sync_folder(folder)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise CommandError(
            f"{place} cannot be written: {error}. {checkpoint} is untouched: free some space and resume, or copy it by "
            f"hand"
        ) from error


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is there and as it was written."""
    try:
        load_checkpoint(checkpoint)
    except CheckpointError:
        return False
    return True
