"""Cuts the head or the tail off an episode, into a new one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt

from tenon.configuration.base import Config
from tenon.data.edit.contents import EpisodeContents, read_contents
from tenon.data.edit.copying import copy_episode
from tenon.data.edit.output import DatasetError
from tenon.data.edit.session_file import copy_session
from tenon.data.episodes import layout_of, next_number
from tenon.data.mcap_records import RawMessage
from tenon.data.store import TRANSITION_TOPIC, Episode

_NS_PER_S = 1_000_000_000


class Cut(Config):
    """What to cut off, in seconds of log time or in steps (transitions), not both."""

    head_s: float = Field(default=0.0, ge=0.0)
    tail_s: float = Field(default=0.0, ge=0.0)
    head_steps: NonNegativeInt = 0
    tail_steps: NonNegativeInt = 0

    def model_post_init(self, context: Any, /) -> None:
        seconds, steps = self.head_s or self.tail_s, self.head_steps or self.tail_steps
        if bool(seconds) == bool(steps):
            raise ValueError(f"{self.text() or 'nothing'} is to be cut: seconds or steps are needed, not both")

    def text(self) -> str:
        """In words."""
        parts = (
            (self.head_s, "s off the head"),
            (self.tail_s, "s off the tail"),
            (self.head_steps, "steps off the head"),
            (self.tail_steps, "steps off the tail"),
        )
        return ", ".join(f"{amount:g} {what}" for amount, what in parts if amount)


@dataclass(frozen=True, slots=True)
class _Window:
    """Log times that are kept, in ns: after < t <= until. steps: sequence numbers of the transitions that are kept,
    since several of them may have been logged at one time; None: they are cut by time like the rest."""

    after_ns: int
    until_ns: int
    steps: frozenset[int] | None = None

    def __call__(self, topic: str, message: RawMessage) -> bool:
        if self.steps is not None and topic == TRANSITION_TOPIC:
            return message.sequence in self.steps
        return self.after_ns < message.log_time_ns <= self.until_ns


def trim(episode: Episode, out: Path, cut: Cut) -> Path:
    """Writes what ``cut`` leaves of ``episode`` as an episode of the same number into the folder ``out``.

    Step k of an episode begins when transition k - 1 was logged and ends when transition k was: cutting steps cuts the
    other topics at these times. The outcome says from what it was cut; its result stays. Raises DatasetError where
    nothing would be left, EpisodeError where the number is taken in ``out``.
    """
    if (part := layout_of(out, episode.number).part).exists():
        raise DatasetError(f"{part} is being written, or was left by a command that was killed: wait, or delete it")
    is_first = next_number(out) == 0
    contents = read_contents(episode)
    window = _window_of_steps(contents, cut) if cut.head_steps or cut.tail_steps else _window_of_seconds(episode, cut)
    kept = sum(window(topic, message) for topic, message in contents.messages())
    if not kept:
        raise _nothing_left(episode, cut)
    outcome = episode.recorded_outcome
    detail = "; ".join(
        filter(None, (outcome.detail, f"cut from {episode.path.name} of {episode.path.parent}: {cut.text()}"))
    )
    made = copy_episode(
        contents,
        out,
        "trim",
        detail=f"{cut.text()}; {kept} of {episode.messages} messages",
        outcome=outcome.model_copy(update={"detail": detail}),
        selection=window,
    )
    if is_first:
        copy_session([episode], out)
    return made


def _window_of_seconds(episode: Episode, cut: Cut) -> _Window:
    after_ns = episode.start_ns + round(cut.head_s * _NS_PER_S) - 1
    return _Window(after_ns, episode.end_ns - round(cut.tail_s * _NS_PER_S))


def _window_of_steps(contents: EpisodeContents, cut: Cut) -> _Window:
    episode = contents.episode
    ends = [(m.log_time_ns, m.sequence) for topic, m in contents.messages() if topic == TRANSITION_TOPIC]
    kept = ends[cut.head_steps : max(0, len(ends) - cut.tail_steps)]
    if not kept:
        raise _nothing_left(episode, cut)
    after_ns = ends[cut.head_steps - 1][0] if cut.head_steps else episode.start_ns - 1
    until_ns = kept[-1][0] if cut.tail_steps else episode.end_ns
    return _Window(after_ns, until_ns, frozenset(sequence for _, sequence in kept))


def _nothing_left(episode: Episode, cut: Cut) -> DatasetError:
    length_s = (episode.end_ns - episode.start_ns) / _NS_PER_S
    steps = episode.counts.get(TRANSITION_TOPIC, 0)
    return DatasetError(
        f"{episode.path}: nothing would be left after {cut.text()}: it is {length_s:.2f} s long and has {steps} steps: "
        f"cut less"
    )
