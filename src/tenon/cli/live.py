"""The live view of a session: one picture in a terminal, one line per episode elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tenon.cli.console import ERR
from tenon.control.phase import SessionPhase
from tenon.session.statistics import RECENT_EPISODES, EpisodeSummary
from tenon.session.watching import TRAINER_METRICS_SHOWN, View

REFRESH_PER_S = 4
BAR_WIDTH = 30
RATE_TOLERANCE = 0.1
"""A rate that falls short of the contract by more than this fraction is shown as a warning."""
PLAIN_STATUS_PERIOD_S = 30.0
CLEAR, GO_ON = "tenon session clear-fault", "tenon session resume"

_PHASE_STYLE = {SessionPhase.RUNNING: "green", SessionPhase.FAULT: "bold red", SessionPhase.PAUSED: "yellow"}


class Screen(Protocol):
    """Shows views until it is closed."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None: ...

    def show(self, view: View) -> None: ...


def screen(console: Console = ERR) -> Screen:
    """The picture where the console is a terminal, else plain lines."""
    return LiveScreen(console) if console.is_terminal and sys.stdin.isatty() else PlainScreen(console)


class LiveScreen:
    """Redraws the view in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S, transient=False)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        self._live.update(render(view))


class PlainScreen:
    """Writes a line for each episode that has ended and for each new fault, and the state now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._shown = 0
        self._fault = ""
        self._status_s = 0.0

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        return None

    def show(self, view: View) -> None:
        if view.title != self._title or len(view.episodes) < self._shown:
            self._title, self._shown, self._status_s = view.title, 0, view.now_s
            self._line(f"{view.title}: {view.total} episodes")
        for number, episode in enumerate(view.episodes[self._shown :], self._shown + 1):
            self._line(episode_line(number, view, episode))
        self._shown = len(view.episodes)
        fault = view.latched
        if fault is not None and fault.name != self._fault:
            self._line(f"FAULT {fault.name}: {fault.detail}. Then: {_remedy(view)}")
        self._fault = "" if fault is None else fault.name
        if view.now_s - self._status_s >= PLAIN_STATUS_PERIOD_S:
            self._status_s = view.now_s
            self._line(status_line(view))

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def episode_line(number: int, view: View, episode: EpisodeSummary) -> str:
    """One finished episode as a line. number: its place in this run, from 1."""
    recent = View(title="", total=0, episodes=view.episodes[:number]).success_rate(RECENT_EPISODES)
    steps = f" in {episode.steps_to_success} steps" if episode.success else ""
    by_hand = f", {episode.human_steps} of {episode.steps} steps by hand" if episode.human_steps else ""
    detail = f" ({episode.detail})" if episode.detail else ""
    return (
        f"episode {number}/{view.total} {episode.controller}: {episode.outcome.value}{steps}{detail}{by_hand}, return "
        f"{episode.total_reward:.1f}, peak {episode.peak_force_n:.1f} N, last {RECENT_EPISODES}: {percent(recent)}"
    )


def status_line(view: View) -> str:
    """The state of the session as a line."""
    parts = [f"{view.phase.name.lower()}, {view.done}/{view.total} episodes, {duration(view.elapsed_s)}"]
    if view.remaining_s is not None:
        parts.append(f"about {duration(view.remaining_s)} to go")
    if view.trainer is not None:
        parts.append(f"{view.trainer.updates} updates ({view.trainer.updates_per_s:.0f}/s)")
        if view.trainer.fault:
            parts.append(f"training has stopped: {view.trainer.fault}")
    return ", ".join(parts)


def render(view: View) -> RenderableType:
    """The view as something that rich can draw."""
    tables = [_session_table(view)]
    if view.trainer is not None:
        tables.append(_trainer_table(view))
    if view.rates_hz:
        tables.append(_rate_table(view))
    columns = Table.grid(padding=(0, 4))
    columns.add_row(*tables)
    parts: list[RenderableType] = [_progress_row(view), "", columns]
    if view.by_hand:
        parts += ["", Text(view.by_hand, style="bold")]
    if (fault := view.latched) is not None:
        remedy = f"{fault.detail}\nWhen the cause is gone: {_remedy(view)}"
        parts += ["", Panel(Text(remedy), title=f"fault: {fault.name}", border_style="bold red")]
    return Panel(Group(*parts), title=view.title, title_align="left", border_style="blue")


def _remedy(view: View) -> str:
    """Between runs there is nothing to resume: the next one starts by itself once the fault is cleared."""
    between_runs = view.phase in (SessionPhase.IDLE, SessionPhase.FINISHED)
    return CLEAR if between_runs else f"{CLEAR}, then {GO_ON}"


def _progress_row(view: View) -> RenderableType:
    row = Table.grid(padding=(0, 2))
    remaining = "-" if view.remaining_s is None else duration(view.remaining_s)
    row.add_row(
        f"episode {min(view.done + 1, view.total)}/{view.total}",
        ProgressBar(total=max(view.total, 1), completed=view.done, width=BAR_WIDTH),
        Text(view.phase.name.lower(), style=_PHASE_STYLE.get(view.phase, "")),
        view.controller,
        f"{duration(view.elapsed_s)}, about {remaining} to go",
    )
    return row


def _session_table(view: View) -> Table:
    last = view.episodes[-1] if view.episodes else None
    steps = view.mean_steps_to_success
    return _table(
        "session",
        [
            (f"success, last {RECENT_EPISODES}", percent(view.success_rate(RECENT_EPISODES))),
            ("success, all", percent(view.success_rate())),
            ("steps to success", "-" if steps is None else f"{steps:.1f}"),
            ("last outcome", "-" if last is None else last.outcome.value),
            ("last return", "-" if last is None else f"{last.total_reward:.1f}"),
            ("last reward", "-" if view.reward is None else f"{view.reward:.2f}"),
            ("peak force", f"{view.peak_force_n:.1f} N"),
            ("faults", str(view.faults_total)),
        ],
    )


def _trainer_table(view: View) -> Table:
    trainer = view.trainer
    assert trainer is not None
    rows = [
        ("updates", f"{trainer.updates} ({trainer.updates_per_s:.0f}/s)"),
        ("transitions", str(trainer.transitions)),
        ("durable", f"{trainer.durable_updates} updates"),
        *((("stopped", trainer.fault),) if trainer.fault else ()),
    ]
    rows += [(name, f"{value:.4g}") for name, value in list(trainer.metrics.items())[:TRAINER_METRICS_SHOWN]]
    return _table(f"trainer {trainer.method}", rows)


def _rate_table(view: View) -> Table:
    table = Table(title="rates, session time", title_justify="left", box=None, padding=(0, 1), show_header=False)
    for topic, rate_hz in view.rates_hz.items():
        expected_hz = view.expected_hz.get(topic)
        measured = "silent" if rate_hz is None else f"{rate_hz:.1f} Hz"
        is_short = expected_hz is not None and (rate_hz is None or rate_hz < (1.0 - RATE_TOLERANCE) * expected_hz)
        wanted = "" if expected_hz is None else f"of {expected_hz:g}"
        table.add_row(topic, Text(measured, style="yellow" if is_short else ""), wanted)
    return table


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1), show_header=False)
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100.0 * fraction:.0f} %"


def duration(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from an hour on."""
    whole = math.ceil(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
