"""Merges datasets into a new one, after a look at whether their episodes belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenon.data.edit.contents import EpisodeContents, read_contents
from tenon.data.edit.copying import copy_episode
from tenon.data.edit.output import DatasetError, new_folder
from tenon.data.edit.session_file import copy_session
from tenon.data.episodes import EpisodeContract
from tenon.data.labels import copy_labels
from tenon.data.store import Episode

TOPICS = "topics"
_OF_ONE_EPISODE = frozenset({"number", "session", "session_episode", "controller", "train", "seed", "operator"})
"""What differs between the episodes of one dataset, too."""


def compared() -> tuple[str, ...]:
    """What has to be the same in all episodes of a dataset: fields of the contract, and the topics' definitions."""
    return (*(name for name in EpisodeContract.model_fields if name not in _OF_ONE_EPISODE), TOPICS)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an episode does not fit to the first one."""

    field: str
    episode: Path
    first: Path
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text} (in {self.episode}, against {self.first})"


def find_differences(found: Sequence[Episode]) -> tuple[Difference, ...]:
    """The first difference of each field, against the first episode. Empty when all belong together."""
    differences: dict[str, Difference] = {}
    first = read_contents(found[0])
    for episode in found[1:]:
        contents = read_contents(episode)  # One at a time: each holds its file open.
        for name in compared():
            if name not in differences and (text := _difference(name, first, contents)):
                differences[name] = Difference(name, episode.path, first.episode.path, text)
    return tuple(differences.values())


def merge(found: Sequence[Episode], out: Path, allow_different: Iterable[str] = ()) -> tuple[Difference, ...]:
    """Copies all episodes, people's labels and marks into the new folder ``out``, numbered from 0 in the order given.

    allow_different: of ``compared``, what may differ. Returns the differences that were allowed. Raises DatasetError
    for others, and for an episode that comes twice, LabelError for labels that cannot be copied; the sources are
    untouched.
    """
    if not found:
        raise DatasetError("there are no finished episodes to merge: name runs that have some")
    allowed = frozenset(allow_different)
    if unknown := allowed - set(compared()):
        raise DatasetError(f"{', '.join(sorted(unknown))} is not compared. Compared are: {', '.join(compared())}")
    _refuse_twins(found)
    differences = find_differences(found)
    if refused := [difference for difference in differences if difference.field not in allowed]:
        listed = "\n".join(f"  {difference}" for difference in refused)
        fields = " ".join(difference.field for difference in refused)
        raise DatasetError(
            f"the episodes were not recorded under the same contract:\n{listed}\nLeave one out, or say that this may "
            f"differ: --allow-different {fields}"
        )
    with new_folder(out) as folder:
        for number, episode in enumerate(found):
            made = copy_episode(read_contents(episode), folder, "merge", number=number)
            copy_labels(episode, made)
        copy_session(found, folder)
    return differences


def _refuse_twins(found: Sequence[Episode]) -> None:
    """The same episode of the same session in two files: training would refuse its second half."""
    seen: dict[tuple[str, int], Path] = {}
    for episode in found:
        key = (episode.contract.session, episode.contract.session_episode)
        if key in seen:
            raise DatasetError(
                f"episode {key[1]} of session {key[0]!r} comes twice: {seen[key]} and {episode.path}. Training refuses "
                f"the second: leave one of them out"
            )
        seen[key] = episode.path


def _difference(name: str, first: EpisodeContents, other: EpisodeContents) -> str:
    """Empty where there is none."""
    if name == TOPICS:
        return _topic_difference(first, other)
    one, two = getattr(first.episode.contract, name), getattr(other.episode.contract, name)
    return "" if one == two else _describe(one, two)


def _describe(one: Any, two: Any) -> str:
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
        return ", ".join(f"{key} {two.get(key, 'missing')!s} instead of {one.get(key, 'missing')!s}" for key in keys)
    return f"{two!r} instead of {one!r}"


def _topic_difference(first: EpisodeContents, other: EpisodeContents) -> str:
    one, two = ({topic.name: topic for topic in contents.topics} for contents in (first, other))
    for name in sorted({*one, *two}):
        if name not in two or name not in one:
            return f"{name} is {'missing' if name not in two else 'new'}"
        if (one[name].type, one[name].definition) != (two[name].type, two[name].definition):
            return f"{name} has another definition of {two[name].type}"
    return ""
