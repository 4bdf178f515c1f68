"""`tenon reward`: look at a reward classifier, and pay old data anew with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tenon.cli.console import note, write_result
from tenon.cli.errors import SUCCESS, CommandError, UsageError
from tenon.cli.train_reward import load_pictures, names_of, show_audit

if TYPE_CHECKING:
    from tenon.data.domains import LabelledImages
    from tenon.rewards.daib import RewardClassifier
    from tenon.rewards.daib.saliency import Shown

Classifier = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CLASSIFIER")]


@dataclass(frozen=True)
class Audit:
    """Show how good a classifier is on the connectors of a folder of data: accuracy, false positives, recall."""

    classifier: Classifier
    """Folder of the classifier, of `tenon train daib --out`."""
    data: Path
    """Folder that `tenon collect` has filled."""
    split: Literal["held-out", "train", "all"] = "held-out"
    """Which of its connectors."""
    json: Path | None = None
    """File for the same numbers."""

    def run(self) -> int:
        from tenon.configuration import ConfigurationError

        classifier, data = load_classifier(self.classifier), load_pictures(self.data)
        names = names_of(data, self.split)
        if not names:
            raise UsageError(f"--split {self.split}: {self.data} has no such connectors")
        try:
            numbers = show_audit(classifier, data, names, f"{self.classifier} on {self.data}")
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        write_result(self.json, numbers)
        return SUCCESS


@dataclass(frozen=True)
class Saliency:
    """Draw what a classifier looks at: pictures of one connector, each beside what speaks for and against inserted."""

    classifier: Classifier
    """Folder of the classifier."""
    data: Path
    """Folder that `tenon collect` has filled."""
    connector: str
    """Name of a connector in it."""
    out: Path
    """Picture to write (.png). Red speaks for "inserted", blue against it."""
    pictures: int = 6
    """Of each label, spread over the connector's episodes."""

    def run(self) -> int:
        from tenon.cli.goal_image import write_picture
        from tenon.rewards.daib.saliency import contact_sheet

        if self.out.suffix != ".png":
            raise UsageError(f"--out {self.out}: name a .png file")
        if self.pictures < 1:
            raise UsageError(f"--pictures {self.pictures}: 1 or more are needed")
        classifier, data = load_classifier(self.classifier), load_pictures(self.data)
        if self.connector not in data.names:
            raise UsageError(f"--connector {self.connector}: {self.data} has {', '.join(data.names)}")
        write_picture(self.out, contact_sheet(classifier, _chosen(data, self.connector, self.pictures)))
        note(f"{self.out}: red speaks for inserted, blue against it")
        return SUCCESS


@dataclass(frozen=True)
class Relabel:
    """Pay old data anew with a classifier, into a new replay beside them; the old data stay as they are."""

    classifier: Classifier
    """Folder of the classifier."""
    data: Path
    """A replay, a training, a session's run, recorded episodes, or a folder that `tenon collect` has filled."""
    out: Path
    """Folder of the new replay."""
    env: str | None = None
    """Name of the environment, for recorded episodes: says what the task is."""

    def run(self) -> int:
        from tenon.data.episodes import EpisodeError
        from tenon.data.mapped_array import StorageError
        from tenon.data.prior import read_prior, write_prior
        from tenon.data.transitions import TransitionError
        from tenon.environments.registry import make_environment
        from tenon.experiments.prior_data import data_folder
        from tenon.rewards import RewardError
        from tenon.rewards.daib import relabelled

        if self.out.exists():
            raise UsageError(f"--out {self.out}: is there already; data are never written over: name another folder")
        classifier = load_classifier(self.classifier)
        task = None if self.env is None else make_environment(self.env).spec
        try:
            spec, source = data_folder(self.data, task)
            count = write_prior(self.out, spec, relabelled(read_prior(source, spec), classifier))
        except (StorageError, EpisodeError, TransitionError, RewardError) as error:
            raise CommandError(str(error)) from error
        note(f"{self.out}: {count} transitions with rewards of version {classifier.version}")
        return SUCCESS


def load_classifier(folder: Path) -> RewardClassifier:
    """Raises CommandError for a folder that holds none."""
    from tenon.data.checkpoint import CheckpointError
    from tenon.rewards.daib import RewardClassifier

    try:
        return RewardClassifier.load(folder)
    except CheckpointError as error:
        raise CommandError(str(error)) from error


def _chosen(data: LabelledImages, name: str, count: int) -> list[list[Shown]]:
    """Rows of two pictures, inserted and not inserted, evenly from all there are."""
    import numpy as np

    from tenon.rewards.daib.free_plug import free_plug_of
    from tenon.rewards.daib.saliency import Shown

    rows, free = data.rows([name]), free_plug_of(data, name)

    def spread(inserted: bool) -> list[Shown]:
        caption = "inserted" if inserted else "not inserted"
        own = rows[data.label[rows] == inserted]
        if not len(own):
            raise CommandError(f"{name}: none of its pictures is {caption}")
        chosen = own[np.linspace(0, len(own) - 1, count).astype(int)]
        return [Shown(caption, np.array(data.image[row]), free) for row in chosen]

    return [list(pair) for pair in zip(spread(inserted=True), spread(inserted=False), strict=True)]
