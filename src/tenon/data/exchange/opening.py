"""Which format a dataset has, by what is there."""

from __future__ import annotations

from pathlib import Path

from tenon.data.exchange.foreign import ForeignDataset


def open_dataset(source: Path) -> ForeignDataset:
    """A Minari folder, the folder of a LeRobotDataset, or a robomimic file. Raises DatasetError where it is none."""
    if not source.is_dir():
        from tenon.data.exchange.robomimic import RobomimicFile

        return RobomimicFile(source)
    from tenon.data.exchange.minari_read import MinariFolder, is_minari

    if is_minari(source):
        return MinariFolder(source)
    from tenon.data.exchange.lerobot_read import LeRobotFolder

    return LeRobotFolder(source)
