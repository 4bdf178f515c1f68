"""When the messages of a topic came: order, gaps and lateness, as far as a recording can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration.base import Config
from tenon.data.episodes import Durability, History, Reliability, TopicSpec

_NS_PER_S = 1e9
_OFTEN = 0.95


class TimingLimits(Config):
    """What ``verify`` calls wrong.

    Gaps are looked for in streams alone: topics that are offered best effort (sensors) or with keep-all history (what
    learning reads). With too few messages to know its period, a stream can only have fallen silent before the end.
    """

    gap_periods: float = Field(default=5.0, gt=1.0, description="a gap is longer than so many usual periods")
    gap_s: float = Field(default=0.5, gt=0.0, description="and longer than this")
    late_s: float = Field(
        default=1.0, gt=0.0, description="between stamp and recording, either way, in 1 of 20 messages or more"
    )
    stream_messages: int = Field(default=10, gt=2, description="fewer than this tell neither period nor lateness")


@dataclass(frozen=True, slots=True)
class TopicTiming:
    """A topic's figures. None: it has too few messages or no stamps for that.

    gap_at_s: when the gap begins, from the episode's first message. late: recording time minus stamp; late_often_s is
    what 1 message of 20 exceeds, either way. backwards: messages whose recording time, or stamp in a stream, is before
    that of the last one. silent_from_s: of a stream with few messages, when its last one came, if it fell silent then.
    """

    topic: str
    messages: int
    rate_hz: float | None
    largest_gap_s: float | None
    gap_at_s: float | None
    late_median_s: float | None
    late_often_s: float | None
    late_most_s: float | None
    backwards: int
    is_stream: bool
    silent_from_s: float | None = None


def measure(
    topic: TopicSpec, logged_ns: Sequence[int], stamps_ns: Sequence[int], span_ns: tuple[int, int], limits: TimingLimits
) -> TopicTiming:
    """logged_ns: recording times in file order. stamps_ns: the messages' own stamps, all 0 where they have none.
    span_ns: first and last recording time of the episode, between which a stream has to run."""
    logged, stamps = np.array(logged_ns, np.int64), np.array(stamps_ns, np.int64)
    is_stamped = bool(stamps.any())
    times = stamps if is_stamped else logged
    backwards = int((np.diff(logged) < 0).sum())
    if is_stamped and is_stream_topic(topic):  # What a mux merges may come in another order than it was stamped.
        backwards += int((np.diff(stamps) < 0).sum())
    late_s = (logged - stamps) / _NS_PER_S if is_stamped and not _is_latched(topic) else np.empty(0)
    is_stream = is_stream_topic(topic) and len(times) >= limits.stream_messages
    period_s = float(np.median(np.diff(times))) / _NS_PER_S if len(times) > 2 else 0.0
    gap_s, gap_at_s = _largest_gap(times, logged, span_ns) if is_stream else (None, None)
    return TopicTiming(
        topic=topic.name,
        messages=len(times),
        rate_hz=1.0 / period_s if period_s > 0.0 else None,
        largest_gap_s=gap_s,
        gap_at_s=gap_at_s,
        late_median_s=float(np.median(late_s)) if len(late_s) else None,
        late_often_s=float(np.quantile(np.abs(late_s), _OFTEN)) if len(late_s) >= limits.stream_messages else None,
        late_most_s=float(late_s[np.abs(late_s).argmax()]) if len(late_s) else None,
        backwards=backwards,
        is_stream=is_stream,
        silent_from_s=_silence_after_few(logged, span_ns, limits) if is_stream_topic(topic) and not is_stream else None,
    )


def has_gap(timing: TopicTiming, limits: TimingLimits) -> bool:
    """Whether the largest gap of a stream is too long."""
    if timing.largest_gap_s is None or timing.rate_hz is None:
        return False
    return timing.largest_gap_s > max(limits.gap_s, limits.gap_periods / timing.rate_hz)


def _largest_gap(times: NDArray[np.int64], logged: NDArray[np.int64], span_ns: tuple[int, int]) -> tuple[float, float]:
    """Length and beginning of the longest time without a message, in s; before the first and after the last count."""
    gaps = np.concatenate(([logged[0] - span_ns[0]], np.diff(times), [span_ns[1] - logged[-1]]))
    begins = np.concatenate(([span_ns[0]], logged))
    where = int(gaps.argmax())
    return float(gaps[where]) / _NS_PER_S, float(begins[where] - span_ns[0]) / _NS_PER_S


def _silence_after_few(logged: NDArray[np.int64], span_ns: tuple[int, int], limits: TimingLimits) -> float | None:
    """When the last message came, in s from the beginning, if what follows is longer than any pause before could be."""
    longest_s = float(np.diff(logged).max()) / _NS_PER_S if len(logged) > 1 else 0.0
    silence_s = float(span_ns[1] - logged[-1]) / _NS_PER_S
    is_silent = silence_s > max(limits.gap_s, limits.gap_periods * longest_s)
    return float(logged[-1] - span_ns[0]) / _NS_PER_S if is_silent else None


def is_stream_topic(topic: TopicSpec) -> bool:
    """Whether its messages come all the time. What is offered best effort one deep follows a person's hand."""
    return any(
        profile.get("history") == History.KEEP_ALL
        or (profile.get("reliability") == Reliability.BEST_EFFORT and profile.get("depth") != 1)
        for profile in _profiles(topic)
    )


def _is_latched(topic: TopicSpec) -> bool:
    """A latched message is recorded when the recording begins, however old it is."""
    return any(profile.get("durability") == Durability.TRANSIENT_LOCAL for profile in _profiles(topic))


def _profiles(topic: TopicSpec) -> list[dict[str, object]]:
    try:
        profiles = yaml.safe_load(topic.offered_qos_profiles)
    except yaml.YAMLError:
        return []
    return [profile for profile in profiles if isinstance(profile, dict)] if isinstance(profiles, list) else []
