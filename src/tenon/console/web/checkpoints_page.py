"""The checkpoints of the trainings, and the button that makes one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from nicegui import ui

from tenon.console import runs
from tenon.console.model import ConsoleView
from tenon.console.operator import OperatorError
from tenon.console.runs import StoredCheckpoint
from tenon.console.texts import size
from tenon.console.web import parts
from tenon.console.web.context import COMPLAINT_MS, Context, Refresh
from tenon.console.web.datasets_page import NUMBER, TEXT, columns, pagination
from tenon.console.web.layout import page
from tenon.console.web.work import ask_robot, do_heavy
from tenon.data.checkpoint import CheckpointError, load_checkpoint

NAMES = (("training", TEXT), ("method", TEXT), ("updates", NUMBER), ("size", NUMBER), ("written", TEXT))


def build(context: Context) -> None:
    with page(context, "/checkpoints") as refreshes, ui.element("div").classes("t-grid"):
        stored = _Checkpoints(context)
        with parts.card("The trainer that runs", "t-w4"):
            refreshes.append(_trainer())
            ui.button("Write a checkpoint now", icon="save", on_click=stored.save).props("outline")
        with parts.card(f"Checkpoints below {context.config.runs}", "t-w8"):
            stored.place = ui.column().classes("w-full")
        ui.timer(0.0, stored.load, once=True)


def _trainer() -> Refresh:
    with ui.element("div").classes("t-tiles"):
        tiles = {name: parts.tile(name) for name in ("method", "updates", "durable", "transitions")}

    def refresh(view: ConsoleView) -> None:
        trainer = view.progress.trainer
        if trainer is not None:
            tiles["method"].set_text(trainer.method)
            tiles["updates"].set_text(str(trainer.updates))
            tiles["durable"].set_text(str(trainer.durable_updates))
            tiles["transitions"].set_text(str(trainer.transitions))

    return refresh


class _Checkpoints:
    def __init__(self, context: Context) -> None:
        self._context = context
        self.place: ui.column

    async def save(self) -> None:
        try:
            path = await ask_robot(self._context.operator.save_training)
        except OperatorError as error:
            ui.notify(str(error), type="negative", timeout=COMPLAINT_MS, multi_line=True, close_button=True)
            return
        said = "the trainer has updates to do first: ask again" if path is None else f"{path.name} is written"
        ui.notify(said, type="positive" if path else "warning")
        await self.load()

    async def load(self) -> None:
        root = self._context.config.runs
        found = await asyncio.to_thread(runs.checkpoints, root) if root.is_dir() else []
        self.place.clear()
        with self.place:
            if not found:
                ui.label(f"There are no checkpoints below {root}.")
                return
            rows = [_row(number, checkpoint) for number, checkpoint in enumerate(found)]
            table = ui.table(columns=columns(*NAMES), rows=rows, row_key="number", pagination=pagination(len(rows)))
            detail = ui.column().classes("w-full")
            table.classes("w-full").on("rowClick", lambda event: _show(detail, found[event.args[1]["number"]]))


def _row(number: int, checkpoint: StoredCheckpoint) -> dict[str, object]:
    return {
        "number": number,
        "training": checkpoint.name,
        "method": checkpoint.method,
        "updates": checkpoint.updates,
        "size": size(checkpoint.size_bytes),
        "written": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(checkpoint.written_s)),
    }


def _show(detail: ui.column, checkpoint: StoredCheckpoint) -> None:
    async def verify() -> None:
        said.set_text(await do_heavy(lambda: _verified(checkpoint.path)))

    detail.clear()
    with detail:
        ui.label(str(checkpoint.path)).classes("t-faint")
        ui.label(f"Practise from it: tenon session run --finetune {checkpoint.path}")
        with ui.row().classes("items-center"):
            ui.button("Verify", icon="fact_check", on_click=verify).props("outline")
            said = ui.label()


def _verified(path: Path) -> str:
    try:
        stored = load_checkpoint(path)
    except CheckpointError as error:
        return str(error)
    numbers = sum(tensor.numel() for tensor in stored.tensors.values())
    return f"whole: {stored.method}, {len(stored.tensors)} tensors, {numbers} numbers"
