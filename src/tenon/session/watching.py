"""What is known of a running session: messages go in on one thread, a view to draw comes out on another."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tenon.control.phase import SessionPhase
from tenon.session.statistics import EpisodeSummary, Outcome, summary_from_message

TRAINER_METRICS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Trainer:
    """What the trainer said last."""

    method: str
    transitions: int
    updates: int
    updates_per_s: float
    durable_updates: int
    metrics: dict[str, float]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is latched now."""

    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the live view shows, at one moment. Times in seconds of a monotonic clock.

    rates_hz: topic -> measured, None where nothing came; expected_hz: topic -> the contract's rate. by_hand: where the
    tool is, for a person who drives; empty where nobody can.
    """

    title: str
    total: int
    episodes: tuple[EpisodeSummary, ...] = ()
    phase: SessionPhase = SessionPhase.IDLE
    detail: str = ""
    episode: int = 0
    controller: str = ""
    reward: float | None = None
    trainer: Trainer | None = None
    fault: Fault | None = None
    faults_total: int = 0
    rates_hz: Mapping[str, float | None] = field(default_factory=dict)
    expected_hz: Mapping[str, float] = field(default_factory=dict)
    by_hand: str = ""
    started_s: float = 0.0
    now_s: float = 0.0

    @property
    def latched(self) -> Fault | None:
        """The supervisor's fault, else the session's own (a stream that has stopped)."""
        if self.fault is not None or self.phase is not SessionPhase.FAULT:
            return self.fault
        name, _, detail = self.detail.partition(": ")
        return Fault(name, detail)

    @property
    def counted(self) -> tuple[EpisodeSummary, ...]:
        """The episodes that prove something: a stopped one is done again."""
        return tuple(e for e in self.episodes if e.outcome is not Outcome.STOPPED)

    @property
    def done(self) -> int:
        return len(self.counted)

    @property
    def elapsed_s(self) -> float:
        return self.now_s - self.started_s

    @property
    def remaining_s(self) -> float | None:
        """Expected time to the end at the pace so far; None before the first episode."""
        return self.elapsed_s / self.done * (self.total - self.done) if self.done else None

    def success_rate(self, newest: int | None = None) -> float | None:
        """Fraction of successes, over all episodes or the newest ones; None without episodes."""
        chosen = self.counted if newest is None else self.counted[-newest:]
        return sum(e.success for e in chosen) / len(chosen) if chosen else None

    @property
    def peak_force_n(self) -> float:
        return max((e.peak_force_n for e in self.episodes), default=0.0)

    @property
    def mean_steps_to_success(self) -> float | None:
        steps = [e.steps_to_success for e in self.counted if e.success]
        return sum(steps) / len(steps) if steps else None


class SessionProgress:
    """Observer of a session (``tenon_session.client.Observer``). Every method may be called from any thread."""

    def __init__(self, expected_hz: Mapping[str, float] | None = None) -> None:
        self._lock = threading.Lock()
        self._seen: set[int] = set()
        self._view = View(title="", total=0, expected_hz=dict(expected_hz or {}))

    def begin(self, title: str, total: int) -> None:
        """A new run of ``total`` episodes begins; what was counted belongs to the run before."""
        now_s = time.monotonic()
        with self._lock:
            self._view = replace(self._view, title=title, total=total, episodes=(), started_s=now_s, reward=None)

    def view(self) -> View:
        with self._lock:
            return replace(self._view, now_s=time.monotonic())

    def on_session_state(self, message: Any) -> None:
        self._update(
            phase=SessionPhase(message.phase),
            detail=str(message.detail),
            episode=int(message.episode),
            controller=str(message.controller),
        )

    def on_safety_state(self, message: Any) -> None:
        fault = Fault(str(message.fault), str(message.detail)) if message.fault else None
        self._update(fault=fault, faults_total=int(message.faults_total))

    def on_trainer_state(self, message: Any) -> None:
        metrics = dict(zip(message.metric_names, message.metric_values, strict=False))
        self._update(
            trainer=Trainer(
                method=str(message.method),
                transitions=int(message.transitions),
                updates=int(message.updates),
                updates_per_s=float(message.updates_per_s),
                durable_updates=int(message.durable_updates),
                metrics={str(name): float(value) for name, value in metrics.items()},
                fault=str(message.fault),
            )
        )

    def on_reward(self, message: Any) -> None:
        self._update(reward=float(message.reward))

    def on_episode(self, message: Any) -> None:
        """Counts each episode once, however often it is reported (by topic and as feedback of the action)."""
        episode = summary_from_message(message)
        with self._lock:
            if episode.episode in self._seen:
                return
            self._seen.add(episode.episode)
            self._view = replace(self._view, episodes=(*self._view.episodes, episode))

    def on_rate(self, topic: str, rate_hz: float | None) -> None:
        with self._lock:
            self._view = replace(self._view, rates_hz={**self._view.rates_hz, topic: rate_hz})

    def _update(self, **changes: Any) -> None:
        with self._lock:
            self._view = replace(self._view, **changes)
