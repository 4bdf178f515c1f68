"""`tenon label`: say which frames show the task done, beside the recordings; choose a classifier's threshold by it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tenon.cli.console import OUT, note, write_line
from tenon.cli.dataset_folder import episodes_folder, finished_episodes, one_episode
from tenon.cli.errors import SUCCESS, CommandError, UsageError
from tenon.cli.label_calibrate import Calibrate
from tenon.cli.label_domain import LabelDomain

if TYPE_CHECKING:
    from tenon.console.labelling import EpisodeLabelling
    from tenon.rewards.labelling import Proposal

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
_NOT_LABELLED = "-"


@contextmanager
def explained() -> Iterator[None]:
    """Errors of labels, episodes and pictures as those of a command."""
    from tenon.data.episodes import EpisodeError
    from tenon.data.labels import LabelError
    from tenon.rewards import RewardError

    try:
        yield
    except (LabelError, EpisodeError, RewardError) as error:
        raise CommandError(str(error)) from error


@dataclass(frozen=True)
class LabelMark:
    """Look through episodes and mark the moment of success by key presses, in a terminal."""

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""
    classifier: Path | None = None
    """Folder of a reward classifier: it proposes marks, and the episodes where it differs most come first."""
    which: Literal["unlabelled", "all"] = "unlabelled"
    """Which episodes."""
    by: str | None = None
    """Who labels. Default: the name of the user."""

    def run(self) -> int:
        from tenon.cli.label_terminal import Deed, press, raw_terminal, show

        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("a terminal is needed to press keys in: elsewhere, use tenon label set")
        with explained():
            waiting = opened(self.directory, self.classifier)
            if self.which == "unlabelled":
                waiting = [labelling for labelling in waiting if not labelling.is_labelled]
            if not waiting:
                note(f"{self.directory}: all episodes are labelled: --which all shows them again")
                return SUCCESS
            number = kept = 0
            with raw_terminal() as next_key:
                while 0 <= number < len(waiting):
                    labelling = waiting[number]
                    title = f"{labelling.episode.path.name}, {number + 1} of {len(waiting)}; {_whose(labelling)}"
                    show(labelling, title)
                    deed = press(labelling, next_key())
                    if deed is Deed.QUIT:
                        break
                    if deed is Deed.KEEP:
                        labelling.save(by=self.by or getpass.getuser(), at=datetime.now(UTC))
                        kept += 1
                    number += {Deed.KEEP: 1, Deed.SKIP: 1, Deed.BACK: -1 if number else 0}.get(deed, 0)
        note(f"{kept} episodes labelled, {len(waiting) - kept} left as they were")
        return SUCCESS


@dataclass(frozen=True)
class LabelSet:
    """Label one episode without a terminal: the frames at which the label changes, beginning with the first success."""

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode."""
    marks: tuple[int, ...] = ()
    """Frames at which the label changes. None: the task is never done."""
    by: str | None = None
    """Who labels. Default: the name of the user."""
    note: str = ""
    """Kept with the labels."""

    def run(self) -> int:
        from tenon.data.labels import LabelStore, load_frames

        episode = one_episode(self.episode)
        with explained():
            frames, store = load_frames(episode), LabelStore(episode.path.parent)
            newest = store.latest(episode)
            labels = store.save(
                episode,
                len(frames),
                self.marks,
                by=self.by or getpass.getuser(),
                at=datetime.now(UTC),
                seen_version=0 if newest is None else newest.version,
                note=self.note,
            )
        write_line(f"{episode.path.name}: version {labels.version}, {int(labels.success.sum())} of {len(frames)} done")
        return SUCCESS


@dataclass(frozen=True)
class LabelShow:
    """List the labels of a folder: marks, by whom, when. With a classifier: where the two differ, the surest first."""

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""
    classifier: Path | None = None
    """Folder of a reward classifier."""
    history: Flag = False
    """Older labels too."""

    def run(self) -> int:
        with explained():
            if self.classifier is None:
                self._list()
            else:
                _list_disagreements(opened(self.directory, self.classifier), self.classifier)
        return SUCCESS

    def _list(self) -> None:
        from rich.table import Table

        from tenon.data.labels import LabelStore, frame_count

        store = LabelStore(episodes_folder(self.directory))
        table = Table(title=str(self.directory), title_justify="left")
        for column in ("episode", "result", "version", "marks", "by", "at", "source", "note"):
            table.add_column(column)
        for episode in finished_episodes(self.directory):
            newest = store.latest(episode)
            found = store.history(episode) if self.history else ((newest,) if newest is not None else ())
            for labels in found:
                marks = ", ".join(map(str, labels.marks)) or "never"
                marks += "" if labels.fits(frame_count(episode)) else " (of other frames)"
                about = (str(labels.version), marks, labels.by, labels.at, labels.source, labels.note)
                table.add_row(episode.path.name, episode.outcome.result, *about)
            if not found:
                table.add_row(episode.path.name, episode.outcome.result, _NOT_LABELLED)
        OUT.print(table)


@dataclass(frozen=True)
class Label:
    """Label the frames of recorded episodes for reward classifiers, and choose a classifier's threshold by labels."""

    command: (
        Annotated[LabelMark, tyro.conf.subcommand("mark")]
        | Annotated[LabelSet, tyro.conf.subcommand("set")]
        | Annotated[LabelShow, tyro.conf.subcommand("show")]
        | Annotated[Calibrate, tyro.conf.subcommand("calibrate")]
        | Annotated[LabelDomain, tyro.conf.subcommand("domain")]
    )

    def run(self) -> int:
        return self.command.run()


def opened(directory: Path, classifier: Path | None) -> list[EpisodeLabelling]:
    """The episodes of a run; with a classifier, those where it differs most from the labels first."""
    from tenon.cli.reward import load_classifier
    from tenon.console.comparison import surest_first
    from tenon.console.labelling import EpisodeLabelling

    found = [EpisodeLabelling.open(episode) for episode in finished_episodes(directory)]
    return found if classifier is None else surest_first(found, load_classifier(classifier))


def _list_disagreements(found: list[EpisodeLabelling], classifier: Path) -> None:
    from rich.table import Table

    from tenon.cli.reward import load_classifier
    from tenon.rewards.labelling import disagreements

    proposals: list[Proposal] = [labelling.proposal for labelling in found if labelling.proposal is not None]
    success = [labelling.success for labelling in found]
    table = Table(title=f"where {classifier} differs, the surest first", title_justify="left")
    for column in ("episode", "frames", "surest at", "label", "classifier", "labelled by"):
        table.add_column(column)
    for one in disagreements(proposals, success, load_classifier(classifier)):
        labelling = found[one.episode]
        span = f"{one.first} to {one.first + one.frames - 1}"
        word = "done" if one.labelled else "not done"
        name = labelling.episode.path.name
        table.add_row(name, span, str(one.frame), word, f"{one.probability:.1%}", _whose(labelling))
    OUT.print(table)


def _whose(labelling: EpisodeLabelling) -> str:
    labels = labelling.labels
    if labels is None:
        return "as recorded"
    return f"{labels.by}, {labels.at}" if labelling.is_labelled else f"as recorded: {labels.by} labelled other frames"
