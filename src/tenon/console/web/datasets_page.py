"""What the runs have recorded: which episodes, what is wrong with them, and mending it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal
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
                reports = ui.column().classes("w-full")
        view = _Datasets(context, overview, detail, reports)
        ui.timer(0.0, view.load, once=True)


class _Datasets:
    """reports: the place of what a verification says, which stays while other recordings are looked at."""

    def __init__(self, context: Context, overview: ui.column, detail: ui.column, reports: ui.column) -> None:
        self._root = context.config.runs
        self._overview, self._detail, self._reports = overview, detail, reports

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
                verify = ui.button("Verify", icon="fact_check").props("outline")
                verify.on_click(lambda: self._verify(dataset, verify))
                ui.button("Label", icon="label", on_click=lambda: ui.navigate.to(_label_page(dataset))).props("outline")
                for recording in dataset.listing.recording:
                    ui.label(f"{recording.path.name} is being recorded").classes("t-faint self-center")
                for partial in dataset.listing.partial:
                    if partial.is_empty:
                        said = f"{partial.path.name} holds no message and may be deleted"
                        ui.label(said).classes("t-faint self-center")
                for path in dataset.listing.to_repair:
                    repair = ui.button(f"Repair {path.name}", on_click=lambda path=path: self._repair(path))
                    repair.props("outline color=warning")
            rows = _episode_rows(dataset)
            names = (
                ("episode", NUMBER),
                ("controller", TEXT),
                ("seed", NUMBER),
                ("result", TEXT),
                ("mark", TEXT),
                ("messages", NUMBER),
                ("size", NUMBER),
            )
            ui.table(columns=columns(*names), rows=rows, row_key="episode", pagination=pagination(len(rows)))

    async def _verify(self, dataset: Dataset, button: ui.button) -> None:
        button.disable()
        self._reports.clear()
        with self._reports:
            report = ui.column().classes("w-full")
        with report:
            ui.spinner()
            ui.label(f"{dataset.name}: every message is read again …").classes("t-faint")
        try:
            reports = await do_heavy(lambda: list(verify(dataset.folder)))
        finally:
            if not button.is_deleted:
                button.enable()
        if not report.is_deleted:  # as it is once another verification was asked for
            report.clear()
            with report:
                _show_reports(dataset.name, reports)

    async def _repair(self, path: Path) -> None:
        try:
            report = await do_heavy(lambda: repair_episode(path))
        except EpisodeError as error:
            ui.notify(str(error), type="negative", multi_line=True, close_button=True)
            return
        kept = "nothing was changed" if report.repaired is None else f"{sum(report.recovered.values())} messages kept"
        kind: Literal["positive", "warning"] = "warning" if report.repaired is None else "positive"
        ui.notify(f"{path.name}: {kept}. {' '.join(report.problems)}", type=kind, multi_line=True)
        await self.load()


def _read_all(root: Path) -> list[Dataset]:
    return [runs.read_dataset(root, folder) for folder in runs.dataset_folders(root)] if root.is_dir() else []


def _row(dataset: Dataset) -> dict[str, Any]:
    finished, judged = len(dataset.listing.finished), runs.judged(dataset)
    return {
        "run": dataset.name,
        "episodes": finished,
        "success": f"{100.0 * runs.successes(dataset) / judged:.0f} %" if judged else "–",
        "to repair": len(dataset.listing.to_repair),
        "size": size(dataset.size_bytes),
    }


def _episode_rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        {
            "episode": episode.number,
            "controller": episode.contract.controller,
            "seed": episode.contract.seed,
            "result": episode.outcome.result if episode.outcome.complete else f"{episode.outcome.result}, incomplete",
            "mark": f"{episode.outcome.mark} ({episode.outcome.who})" if episode.outcome.mark else "",
            "messages": episode.messages,
            "size": size(episode.size_bytes),
        }
        for episode in dataset.listing.finished
    ]


def _label_page(dataset: Dataset) -> str:
    """The page that knows recordings by their names, which hold slashes and may hold anything."""
    return f"/label?{urlencode({'folder': dataset.name})}"


def _show_reports(name: str, reports: list[EpisodeReport]) -> None:
    """name: of the run."""
    wrong = [report for report in reports if report.problems]
    messages = sum(report.messages for report in reports)
    said = f"{name}: {len(reports)} episodes with {messages} messages read: "
    ui.label(said + (f"{len(wrong)} with something wrong" if wrong else "all is in order")).classes(
        "t-warn" if wrong else "t-good"
    )
    for report in wrong:
        for problem in report.problems:
            ui.label(f"{report.name}: {problem.what} → {problem.remedy}")
