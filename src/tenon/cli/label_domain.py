"""`tenon label domain`: labelled episodes of a run become a connector of a collection, which classifiers train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from tenon.cli.console import note
from tenon.cli.dataset_folder import explained as episodes_explained
from tenon.cli.dataset_folder import finished_episodes
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.store import Episode


@dataclass(frozen=True)
class LabelDomain:
    """Copy the labelled episodes of a run, with their labels, into a collection, as one more connector of it."""

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""
    data: tyro.conf.Positional[Path]
    """Folder of the collection (`tenon collect`), or of a new one."""
    name: str
    """Of the connector with its surroundings."""
    series: str
    """Near-duplicates have the same one: a series is held out as a whole."""
    mount: str
    """How the camera is mounted; one mount is one robot."""
    split: Literal["train", "held-out"] = "train"

    def run(self) -> int:
        from tenon.cli.label import explained
        from tenon.configuration import parse
        from tenon.data.domains import Domain, add_domain, check_name
        from tenon.data.edit.contents import read_contents
        from tenon.data.edit.copying import copy_episode
        from tenon.data.edit.output import new_folder
        from tenon.data.labels import LabelStore, copy_labels, frame_count, load_frames
        from tenon.data.mapped_array import StorageError
        from tenon.data.transitions import TransitionError

        said = {"series": self.series, "mount": self.mount, "split": self.split}
        domain = parse(Domain, said, where="--series, --mount and --split")
        try:
            check_name(self.name)
        except StorageError as error:
            raise UsageError(f"--name {error}") from error
        chosen = []
        with explained(), episodes_explained():
            for episode in finished_episodes(self.directory):
                labels = LabelStore(episode.path.parent).latest(episode)
                if labels is not None and labels.fits(frame_count(episode)):
                    chosen.append((episode, load_frames(episode)))
                elif labels is not None:
                    note(f"left out, its labels are of other frames: {episode.path}: tenon label mark {self.directory}")
            if not chosen:
                raise UsageError(f"{self.directory}: has no labelled episode: tenon label mark {self.directory}")
            try:
                _require_task(self.data, chosen[0][0])
                with new_folder(self.data / self.name) as building:
                    for episode, _ in chosen:
                        copy_labels(episode, copy_episode(read_contents(episode), building, "merge"))
                add_domain(self.data, self.name, domain)
            except (StorageError, TransitionError) as error:
                raise CommandError(str(error)) from error
        note(f"{self.data / self.name}: {len(chosen)} episodes with {sum(len(f) for _, f in chosen)} labelled frames")
        return SUCCESS


def _require_task(folder: Path, episode: Episode) -> None:
    """The episodes fit the collection's task; a new collection gets theirs. Raises StorageError, TransitionError."""
    from tenon.data.domains import TASK, read_task, set_task
    from tenon.data.store import EpisodeStore
    from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec, check_transition

    first = next(iter(EpisodeStore(episode.path.parent).transitions(episode)))
    if (folder / TASK).exists():
        check_transition(first, read_task(folder))
        return
    image = first.observation.image
    assert image is not None  # load_frames has seen to it
    height, width, channels = image.shape
    spec = ImageSpec(height=height, width=width, channels=channels)
    observation = ObservationSpec(state_size=first.observation.state.size, image=spec)
    set_task(folder, EnvironmentSpec(observation=observation, action_size=first.action.size))
