"""`tenon dataset split | merge | trim | mark`: new datasets from old ones, which stay as they are; a word on one."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import tyro

from tenon.cli.console import note, write_line
from tenon.cli.dataset_folder import explained, finished_episodes, one_episode
from tenon.cli.errors import SUCCESS, UsageError

if TYPE_CHECKING:
    from tenon.data.edit.split import Plan
    from tenon.data.store import Episode

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Split:
    """Copy the episodes of a run into parts, OUT/PART, keeping their numbers: by --share, --by or --episodes.

    Discarded ones are left out, but of `--by mark`, and where --episodes lists them.
    """

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""
    out: Path
    """A new folder; each part becomes a folder of episodes in it."""
    share: tuple[str, ...] = ()
    """Parts of random episodes: `train=0.8 test=0.2`."""
    seed: int = 0
    """Of the draw by share: the same seed draws the same episodes."""
    by: str | None = None
    """A part for every value of: success (success, failure, unfinished), result, mark, task, robot, operator, ..."""
    episodes: tuple[str, ...] = ()
    """Parts by the numbers of their episodes, `held_out=0,4,7-9`; all others go into the part `rest`."""

    def run(self) -> int:
        if sum(bool(way) for way in (self.share, self.by, self.episodes)) != 1:
            raise UsageError("say how to split, one way: --share train=0.8 test=0.2, --by success, or --episodes a=0-9")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: 0 or more is needed")
        with explained():
            from tenon.data.edit.split import write_split

            plan = self._plan()
            write_split(plan, self.out)
        for name, chosen in plan.items():
            write_line(f"{self.out / name}: {len(chosen)} episodes")
        return SUCCESS

    def _plan(self) -> Plan:
        from tenon.data.edit.split import MARK, split_by_condition, split_by_list, split_by_share, without_discarded

        found = finished_episodes(self.directory)
        if self.episodes:
            plan = split_by_list(found, _assignments(self.episodes, numbers, "held_out=0,4,7-9"))
            chosen = {episode.path for part in plan.values() for episode in part}
            self._tell([episode for episode in found if episode.path not in chosen])
            return plan
        if self.by == MARK:
            return split_by_condition(found, self.by)
        kept = without_discarded(found)
        self._tell([episode for episode in found if episode.outcome.discarded])
        if not kept:
            raise UsageError(f"{self.directory}: all its episodes are discarded: --by mark takes them all the same")
        if self.by is not None:
            return split_by_condition(kept, self.by)
        return split_by_share(kept, _assignments(self.share, float, "train=0.8"), self.seed)

    @staticmethod
    def _tell(discarded: Sequence[Episode]) -> None:
        for episode in discarded:
            note(f"left out, discarded by {episode.outcome.who or 'a person'}: {episode.path}")


@dataclass(frozen=True)
class Merge:
    """Copy the episodes of several runs into one new folder, numbered anew from 0. Refuses runs under different
    contracts (robot, task, calibration, versions, topics), and names the difference."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Run directories, or folders of episodes, in the order wanted."""
    out: Path
    """A new folder of episodes."""
    allow_different: tuple[str, ...] = ()
    """What may differ: fields of the contract (task, calibration, versions, configuration_hash, ...), or topics."""

    def run(self) -> int:
        if not self.directories:
            raise UsageError("name at least one run to merge")
        found = [episode for directory in self.directories for episode in finished_episodes(directory)]
        with explained():
            from tenon.data.edit.merge import merge

            for difference in merge(found, self.out, self.allow_different):
                note(f"differs, as allowed: {difference}")
        write_line(f"{self.out}: {len(found)} episodes")
        return SUCCESS


@dataclass(frozen=True)
class Trim:
    """Copy an episode without its first or last seconds or steps. Its outcome says from what it was cut.

    People's labels stay with the whole episode, since frames are counted from its first step.
    """

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode (episode_000123)."""
    out: Path
    """A folder of episodes, new or not; the number stays the same and must be free there."""
    head_s: float = 0.0
    tail_s: float = 0.0
    head_steps: int = 0
    tail_steps: int = 0
    """How much to cut: seconds or steps (transitions), not both."""

    def run(self) -> int:
        from tenon.configuration import parse
        from tenon.data.edit.trim import Cut, trim

        amounts = {name: getattr(self, name) for name in Cut.model_fields}
        cut = parse(Cut, amounts, where="tenon dataset trim")
        source = one_episode(self.episode)
        with explained():
            from tenon.data.labels import LabelStore

            write_line(str(trim(source, self.out, cut)))
            if labels := LabelStore(source.path.parent).files(source):
                note(
                    f"{len(labels)} labellings of {source.path.name} did not follow, since they count its frames: they "
                    f"stay where they are; label the cut episode anew"
                )
        return SUCCESS


@dataclass(frozen=True)
class Mark:
    """Say of a recorded episode that it is a success, a failure, or to be discarded; none takes back what was said.

    The word is kept beside the recording, which stays as it is, and so does every earlier word. The last one counts for
    info, training, split and export.
    """

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode (episode_000123)."""
    word: tyro.conf.Positional[Literal["success", "failure", "discard", "none"]]
    """What it is."""
    by: str | None = None
    """Who says so. Default: the name of the user."""

    def run(self) -> int:
        source = one_episode(self.episode)
        with explained():
            from tenon.data.marks import mark_episode

            said = "" if self.word == "none" else self.word
            by, at = self.by or getpass.getuser(), datetime.now(UTC)
            mark_episode(source.layout, source.contract, said, by=by, at=at)
        outcome = one_episode(self.episode).outcome
        write_line(f"{source.path.name}: {outcome.result}, {outcome.mark or 'without a mark'}")
        return SUCCESS


def numbers(text: str) -> tuple[int, ...]:
    """ "0,4,7-9" -> (0, 4, 7, 8, 9). Raises ValueError, UsageError for a span that counts down."""
    found: list[int] = []
    for part in text.split(","):
        begin, _, end = part.partition("-")
        first, last = int(begin), int(end or begin)
        if last < first:
            raise UsageError(f"{part!r} counts down and holds no episode: write {last}-{first}")
        found += range(first, last + 1)
    return tuple(found)


def _assignments(given: tuple[str, ...], read: Callable[[str], ValueT], example: str) -> dict[str, ValueT]:
    found: dict[str, ValueT] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            found[name] = read(value)
        except ValueError as error:
            raise UsageError(f"{text!r} cannot be read: PART=VALUE is needed, as in {example}") from error
    if len(found) != len(given):
        raise UsageError(f"{' '.join(given)}: a part is named twice")
    return found
