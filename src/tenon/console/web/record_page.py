"""Demonstrations: drive, watch, say how the episode went."""

from __future__ import annotations

import asyncio
import shutil

from nicegui import ui

from tenon.console.model import ConsoleView
from tenon.console.texts import size
from tenon.console.web import parts
from tenon.console.web.context import Context, Refresh
from tenon.console.web.layout import page
from tenon.session.statistics import Outcome

SHOWN = 12
NO_HAND = "This session takes no hand: start it with --teleop console."
DISK_PERIOD_S = 10.0
LOW_BYTES = 5 * 1024**3
"""Two cameras of 640 x 480 at 30 Hz fill about this much in two minutes, uncompressed."""


def build(context: Context) -> None:
    with page(context, "/record") as refreshes, ui.element("div").classes("t-grid"):
        with parts.card("Cameras", "t-w7"):
            refreshes.append(parts.pictures(context))
        with ui.element("div").classes("t-w5 flex flex-col gap-3"):
            with parts.card("Recording", ""):
                refreshes.append(parts.run_buttons(context))
                ui.label("The episode that runs is a").classes("t-title")
                refreshes += [parts.mark_buttons(context), _recording(context)]
            with parts.card("Drive the tool", ""):
                refreshes += [_driver(), parts.drive_pad(context)]
        with parts.card("Episodes of this session", "t-w12"):
            refreshes.append(_episodes())


def _recording(context: Context) -> Refresh:
    with ui.element("div").classes("t-tiles"):
        tiles = {name: parts.tile(name) for name in ("recording", "episode", "done", "disk free")}

    async def look_at_disk() -> None:
        free = await asyncio.to_thread(_free_bytes, context)
        tiles["disk free"].set_text(size(free))
        tiles["disk free"].classes(replace="value t-bad" if free < LOW_BYTES else "value")

    ui.timer(DISK_PERIOD_S, look_at_disk, immediate=True)

    def refresh(view: ConsoleView) -> None:
        progress = view.progress
        done = sum(episode.outcome is not Outcome.STOPPED for episode in progress.episodes)
        tiles["recording"].set_text("on" if view.recording else "off")
        tiles["episode"].set_text(str(progress.episode) if view.session else "–")
        tiles["done"].set_text(str(done))

    return refresh


def _free_bytes(context: Context) -> int:
    runs = context.config.runs.absolute()
    existing = next(path for path in (runs, *runs.parents) if path.exists())
    return shutil.disk_usage(existing).free


def _driver() -> Refresh:
    label = ui.label()

    def refresh(view: ConsoleView) -> None:
        listens = view.takes_hand or not view.is_connected
        label.set_text(view.teleop or ("Nobody drives by hand." if listens else NO_HAND))

    return refresh


def _episodes() -> Refresh:
    numbers = ("steps", "return", "peak force")
    table = parts.Table(("episode", "controller", "outcome", "detail", *numbers), numbers=numbers)

    def refresh(view: ConsoleView) -> None:
        newest = view.progress.episodes[: -SHOWN - 1 : -1]
        table.show(
            [
                (
                    str(episode.episode),
                    episode.controller,
                    episode.outcome.value,
                    episode.detail,
                    str(episode.steps),
                    f"{episode.total_reward:.1f}",
                    f"{episode.peak_force_n:.1f} N",
                )
                for episode in newest
            ],
            ["t-good" if episode.success else "" for episode in newest],
        )

    return refresh
