"""What the runs have recorded: which episodes, what is wrong with them, and mending it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from tenon.console import runs
from tenon.console.runs import Dataset
from tenon.console.texts import size
from tenon.console.web import parts
from tenon.console.web.context import Context
from tenon.console.web.layout import page
from tenon.console.web.work import do_heavy
from tenon.data.edit.verify import EpisodeReport, verify
from tenon.data.episodes import EpisodeError
from tenon.data.repair import repair_episode

ROWS = 12
NUMBER = {"align": "right", "sortable": True}
TEXT = {"align": "left", "sortable": True}


def columns(*names: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a table of NiceGUI: pairs of name and style."""
    return [{"name": name, "label": name, "field": name, **style} for name, style in names]


def pagination(count: int) -> int | None:
    """Rows per page; None where they fit one."""
    return ROWS if count > ROWS else None


def build(context: Context) -> None:
    with page(context, "/datasets"):
        with ui.element("div").classes("t-grid"):
            with parts.card(f"Recordings below {context.config.runs}", "t-w5"):
                overview = ui.column().classes("w-full")
            with parts.card("Episodes", "t-w7"):
                detail = ui.column().classes("w-full")
        view = _Datasets(context.config.runs, overview, detail)
        ui.timer(0.0, view.load, once=True)


class _Datasets:
    def __init__(self, root: Path, overview: ui.column, detail: ui.column) -> None:
        self._root, self._overview, self._detail = root, overview, detail

    async def load(self) -> None:
        datasets = await asyncio.to_thread(_read_all, self._root)
        self._overview.clear()
        with self._overview:
            if not datasets:
                ui.label(f"Nothing is recorded below {self._root}. Name another folder with tenon console --runs.")
                return
            names = (("run", TEXT), ("episodes", NUMBER), ("success", NUMBER), ("to repair", NUMBER), ("size", NUMBER))
            rows = [_row(dataset) for dataset in datasets]
            table = ui.table(columns=columns(*names), rows=rows, row_key="run", pagination=pagination(len(rows)))
            by_name = {dataset.name: dataset for dataset in datasets}
            table.classes("w-full").on("rowClick", lambda event: self._show(by_name[event.args[1]["run"]]))

    def _show(self, dataset: Dataset) -> None:
        self._detail.clear()
        with self._detail:
            ui.label(str(dataset.folder)).classes("t-faint")
            with ui.element("div").classes("t-buttons"):
                ui.button("Verify", icon="fact_check", on_click=lambda: self._verify(dataset)).props("outline")
                ui.button("Label", icon="label", on_click=lambda: ui.navigate.to(_label_page(dataset))).props("outline")
                for path in _to_repair(dataset):
                    repair = ui.button(f"Repair {path.name}", on_click=lambda path=path: self._repair(path))
                    repair.props("outline color=warning")
            self._found = ui.column().classes("w-full")
            rows = _episode_rows(dataset)
            names = (
                ("episode", NUMBER),
                ("controller", TEXT),
                ("seed", NUMBER),
                ("result", TEXT),
                ("messages", NUMBER),
                ("size", NUMBER),
            )
            ui.table(columns=columns(*names), rows=rows, row_key="episode", pagination=pagination(len(rows)))

    async def _verify(self, dataset: Dataset) -> None:
        self._found.clear()
        with self._found:
            ui.spinner()
            ui.label("Every message is read again …").classes("t-faint")
        reports = await do_heavy(lambda: list(verify(dataset.folder)))
        self._found.clear()
        with self._found:
            _show_reports(reports)

    async def _repair(self, path: Path) -> None:
        try:
            report = await do_heavy(lambda: repair_episode(path))
        except EpisodeError as error:
            ui.notify(str(error), type="negative", multi_line=True, close_button=True)
            return
        kept = "nothing was changed" if report.repaired is None else f"{sum(report.recovered.values())} messages kept"
        ui.notify(f"{path.name}: {kept}. {' '.join(report.problems)}", type="positive", multi_line=True)
        await self.load()


def _read_all(root: Path) -> list[Dataset]:
    return [runs.read_dataset(root, folder) for folder in runs.dataset_folders(root)] if root.is_dir() else []


def _row(dataset: Dataset) -> dict[str, Any]:
    finished = len(dataset.listing.finished)
    return {
        "run": dataset.name,
        "episodes": finished,
        "success": f"{100.0 * runs.successes(dataset) / finished:.0f} %" if finished else "–",
        "to repair": dataset.cut_off + dataset.damaged,
        "size": size(dataset.size_bytes),
    }


def _episode_rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        {
            "episode": episode.number,
            "controller": episode.contract.controller,
            "seed": episode.contract.seed,
            "result": episode.outcome.result if episode.outcome.complete else f"{episode.outcome.result}, incomplete",
            "messages": episode.messages,
            "size": size(episode.size_bytes),
        }
        for episode in dataset.listing.finished
    ]


def _label_page(dataset: Dataset) -> str:
    """The page that knows recordings by their names, which hold slashes and may hold anything."""
    return f"/label?{urlencode({'folder': dataset.name})}"


def _to_repair(dataset: Dataset) -> list[Path]:
    cut_off = [partial.path for partial in dataset.listing.partial if not partial.is_repaired]
    damaged = [found.layout for found in dataset.listing.damaged]
    return cut_off + [layout.finished for layout in damaged if not layout.repaired.finished.exists()]


def _show_reports(reports: list[EpisodeReport]) -> None:
    wrong = [report for report in reports if report.problems]
    messages = sum(report.messages for report in reports)
    said = f"{len(reports)} episodes with {messages} messages read: "
    ui.label(said + (f"{len(wrong)} with something wrong" if wrong else "all is in order")).classes(
        "t-warn" if wrong else "t-good"
    )
    for report in wrong:
        for problem in report.problems:
            ui.label(f"{report.name}: {problem.what} → {problem.remedy}")
