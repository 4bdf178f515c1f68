"""`tenon dataset export | import`: to and from the formats of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from tenon.cli.console import note, write_line
from tenon.cli.dataset_folder import episodes_folder, explained
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.exchange.foreign import ForeignDataset
    from tenon.data.exchange.trajectory import ExportReport, Trajectory
    from tenon.data.transitions import EnvironmentSpec

_NEEDED = "pip install -e '.[datasets]'"


@dataclass(frozen=True)
class Export:
    """Write the transitions of a run as a LeRobotDataset v3.0, a robomimic HDF5 file, or a Minari dataset."""

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""
    to: Literal["lerobot", "robomimic", "minari"]
    """The format."""
    out: Path
    """What to write, new: a folder for lerobot, FILE.hdf5 for robomimic, a folder NAME-v0 for minari."""
    images: Literal["video", "png"] = "video"
    """lerobot: H.264 video with its error measured, or png without loss. The other formats lose nothing."""
    video_quality: int = 18
    """lerobot: x264's constant rate factor, 0 to 51; smaller is better."""
    fps: int | None = None
    """lerobot: frames per second. Default: measured from the stamps."""

    def run(self) -> int:
        from tenon.data.exchange.trajectory import exportable, read_all
        from tenon.data.store import EpisodeStore

        store = EpisodeStore(episodes_folder(self.directory))
        with explained():
            chosen = exportable(store, lambda why: note(f"left out: {why}"))
            try:
                report = self._write(read_all(store, chosen))
            except ImportError as error:
                raise CommandError(f"{error}: {_NEEDED}") from error
        for line in report.notes:
            note(line)
        write_line(f"{report.path}: {report.episodes} episodes, {report.steps} steps")
        return SUCCESS

    def _write(self, trajectories: Iterator[Trajectory]) -> ExportReport:
        if self.to == "robomimic":
            from tenon.data.exchange import robomimic

            return robomimic.write(self.out, trajectories)
        if self.to == "minari":
            from tenon.data.exchange import minari

            return minari.write(self.out, trajectories)
        from tenon.configuration import parse
        from tenon.data.exchange import lerobot_write

        options = {"images": self.images, "video_quality": self.video_quality, "fps": self.fps}
        config = parse(lerobot_write.LeRobotConfig, options, where="tenon dataset export")
        return lerobot_write.write(self.out, trajectories, config)


@dataclass(frozen=True)
class Import:
    """Read a robomimic file, a LeRobotDataset v3 or a Minari folder as prior data: `tenon train METHOD --data OUT`."""

    source: tyro.conf.Positional[Path]
    """FILE.hdf5 of robomimic, or the folder of a LeRobotDataset or of a Minari dataset."""
    out: Path
    """A new folder: the replay, and import.json, which says how it was made."""
    state_keys: tuple[str, ...] = ()
    """Vectors that make up the state, in this order. Default: `state` or `observation.state`, else all there are."""
    image_key: str | None = None
    """The camera, or `none`. Default: the only one there is."""
    image_size: tuple[int, int] | None = None
    """Height and width, in pixels, that images are brought to. Default: as they are."""
    rescale_actions: tyro.conf.FlagCreatePairsOff[bool] = False
    """Map the range of each entry of the actions to [-1, 1]."""
    env: str | None = None
    """Name of an environment that the data are for: sizes are checked, and its scales and goals are taken over."""

    def run(self) -> int:
        from tenon.configuration import parse
        from tenon.data.exchange.importing import ImportConfig, import_dataset

        size = None if self.image_size is None else {"height": self.image_size[0], "width": self.image_size[1]}
        options = {
            "state_keys": self.state_keys,
            "image_key": self.image_key,
            "image_size": size,
            "rescale_actions": self.rescale_actions,
        }
        config = parse(ImportConfig, options, where="tenon dataset import")
        with explained():
            manifest = import_dataset(self._open(), self.source, self.out, config, self._spec())
        note(f"state: {', '.join(manifest.state_keys)}; image: {manifest.image_key or 'none'}")
        write_line(f"{self.out}: {manifest.episodes} episodes, {manifest.transitions} transitions")
        return SUCCESS

    def _open(self) -> ForeignDataset:
        if not self.source.exists():
            raise UsageError(f"{self.source}: no such file or directory")
        try:
            from tenon.data.exchange.opening import open_dataset

            return open_dataset(self.source)
        except ImportError as error:
            raise CommandError(f"{error}: {_NEEDED}") from error

    def _spec(self) -> EnvironmentSpec | None:
        if self.env is None:
            return None
        from tenon.environments.registry import make_environment
        from tenon.simulation.robotics_package import RoboticsPackageError

        try:
            spec: EnvironmentSpec = make_environment(self.env).spec
        except RoboticsPackageError as error:
            raise UsageError(str(error)) from error
        return spec
