"""Splits a dataset into parts, each a folder of its own: by share, by what is known of an episode, or by a list."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tenon.data.edit.contents import read_contents
from tenon.data.edit.copying import copy_episode
from tenon.data.edit.output import DatasetError, new_folder
from tenon.data.edit.session_file import copy_session
from tenon.data.episodes import EpisodeContract
from tenon.data.labels import copy_labels
from tenon.data.store import Episode

Plan = dict[str, tuple[Episode, ...]]
"""Name of a part -> its episodes, in order of number."""

SUCCESS, RESULT, MARK = "success", "result", "mark"
REST = "rest"
NONE = "none"
_PART_NAME = re.compile(r"[\w][\w.-]*")
_NOT_OF_NAMES = re.compile(r"[^\w.-]+")
_SHARE_TOLERANCE = 1e-6


def conditions() -> tuple[str, ...]:
    """What ``split_by_condition`` takes: success, result, mark, and every text of an episode's contract."""
    texts = (name for name, field in EpisodeContract.model_fields.items() if field.annotation is str)
    return (SUCCESS, RESULT, MARK, *texts)


def without_discarded(found: Sequence[Episode]) -> tuple[Episode, ...]:
    """Those that nobody discarded."""
    return tuple(episode for episode in found if not episode.outcome.discarded)


def split_by_share(found: Sequence[Episode], shares: Mapping[str, float], seed: int) -> Plan:
    """Parts of random episodes; the same for the same seed and episodes. shares: of each part, 1 in sum.

    Sizes are rounded by the largest remainder, so that they always sum up. Raises DatasetError.
    """
    if (
        not shares
        or min(shares.values()) <= 0.0
        or not math.isclose(sum(shares.values()), 1.0, abs_tol=_SHARE_TOLERANCE)
    ):
        seen = ", ".join(f"{name}={share:g}" for name, share in shares.items()) or "none"
        raise DatasetError(f"the shares are {seen}: positive numbers with the sum 1 are needed: train=0.8 test=0.2")
    exact = np.array(list(shares.values())) * len(found)
    sizes = np.floor(exact).astype(int)
    by_remainder = np.argsort(sizes - exact, kind="stable")
    sizes[by_remainder[: len(found) - sizes.sum()]] += 1
    if sizes.min() == 0:
        empty = list(shares)[int(sizes.argmin())]
        raise DatasetError(f"the part {empty!r} would be empty: {len(found)} episodes are too few for these shares")
    order = np.random.default_rng(seed).permutation(len(found))
    ends = np.cumsum(sizes)
    pieces = np.split(order, ends[:-1])
    return {name: tuple(found[i] for i in sorted(piece)) for name, piece in zip(shares, pieces, strict=True)}


def split_by_condition(found: Sequence[Episode], condition: str) -> Plan:
    """A part for every value that ``condition`` has, named after it as far as folders can be. Raises DatasetError.

    success: what was stopped is neither a success nor a failure, and goes into the part "unfinished".
    """
    if condition not in conditions():
        raise DatasetError(f"{condition!r} is no condition to split by: {', '.join(conditions())} are")
    parts: dict[str, list[Episode]] = {}
    for episode in found:
        parts.setdefault(_value(episode, condition), []).append(episode)
    plan: Plan = {}
    for value in sorted(parts):
        plan[_free_name(_part_name(value), plan)] = tuple(parts[value])
    return plan


def split_by_list(found: Sequence[Episode], lists: Mapping[str, Sequence[int]]) -> Plan:
    """The episodes that are listed, by their numbers, and the part "rest" with all others that nobody discarded.

    Raises DatasetError.
    """
    if REST in lists:
        raise DatasetError(f"{REST!r} is the name of the part with all others: name the listed part otherwise")
    if empty := [name for name, numbers in lists.items() if not numbers]:
        raise DatasetError(f"part {empty[0]!r} lists no episode: name one or more, as in held_out=0,4,7-9")
    known = {episode.number: episode for episode in found}
    taken: dict[int, str] = {}
    for name, numbers in lists.items():
        for number in numbers:
            if number not in known:
                raise DatasetError(f"part {name!r}: there is no finished episode {number}: see `tenon dataset info`")
            if number in taken:
                raise DatasetError(f"episode {number} is listed in {taken[number]!r} and in {name!r}: list it once")
            taken[number] = name
    plan = {name: tuple(known[number] for number in sorted(numbers)) for name, numbers in lists.items()}
    others = without_discarded([episode for episode in found if episode.number not in taken])
    return {**plan, REST: others} if others else plan


def write_split(plan: Plan, out: Path) -> None:
    """Copies each part into a folder of its own in ``out``; the episodes keep their numbers, people's labels and marks.

    All of it is there or nothing. Raises DatasetError, EpisodeError or LabelError; the sources are untouched.
    """
    for name in plan:
        if not _PART_NAME.fullmatch(name):
            raise DatasetError(f"{name!r} cannot be a folder's name: letters, digits, '_', '-' and '.' are allowed")
    with new_folder(out) as folder:
        for name, chosen in plan.items():
            for episode in chosen:
                made = copy_episode(read_contents(episode), folder / name, "split", detail=f"part {name}")
                copy_labels(episode, made)
            copy_session(chosen, folder / name)


def _value(episode: Episode, condition: str) -> str:
    outcome = episode.outcome
    if condition == SUCCESS:
        if outcome.result in ("stopped", "aborted", "unknown"):
            return "unfinished"
        return "success" if outcome.result == "success" else "failure"
    found = {RESULT: outcome.result, MARK: outcome.mark}
    return str(found[condition] if condition in found else getattr(episode.contract, condition))


def _part_name(value: str) -> str:
    """A value as a folder's name: a person's may hold blanks, a task's may be a path."""
    return _NOT_OF_NAMES.sub("_", value).strip("_.-") or NONE


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    """``name``, or with the next number where another value has become the same."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)
