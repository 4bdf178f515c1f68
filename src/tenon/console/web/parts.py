"""Cards that more than one page has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from nicegui import ui

from tenon.configuration.session import ControllerName
from tenon.console.model import ConsoleView
from tenon.console.web.context import Context, Refresh, ask
from tenon.console.web.layout import can_pause, can_resume, can_start
from tenon.control.phase import SessionPhase
from tenon.session.machine import SessionPlan

COLOURS = ("#3b74e0", "#d9822b", "#2f9e62", "#b04ac9", "#c4423a", "#5f8a8b")
CONTROLLERS: tuple[ControllerName, ...] = get_args(ControllerName)
"""All that exist: no message tells which of them fit the session's work, and it says so when it refuses one."""
DEFAULT_CONTROLLER: ControllerName = "residual"
"""Offered first as long as no episode has shown what this session runs."""
WITHOUT_EFFECT = "inert"
"""HTML's attribute for what takes no input."""
GREY = "#808a98"
"""Readable on light and on dark."""
Points = Sequence[tuple[float, float]]


@contextmanager
def card(title: str, width: str) -> Iterator[None]:
    """width: class of the grid, t-w3 to t-w12."""
    with ui.element("section").classes(f"t-card {width}"):
        ui.label(title).classes("t-title")
        yield


@contextmanager
def dialog(style: str) -> Iterator[ui.dialog]:
    """Open at once, and gone for good when it is closed. style: class of what it shows."""
    with ui.dialog(value=True).props("allow-focus-outside") as shown, ui.card().classes(style):  # stop has its keys too
        yield shown
    shown.on("hide", shown.delete)


def pictures(context: Context) -> Refresh:
    """All cameras that give pictures; one that comes later is added, one that falls silent says so itself."""
    place = ui.element("div").classes("t-pictures")
    shown: list[str] = []
    with place:
        nothing = ui.label("No picture has come yet.").classes("t-faint")

    def refresh(_view: ConsoleView) -> None:
        for camera in context.model.cameras():
            if camera not in shown:
                shown.append(camera)
                nothing.set_visibility(False)
                with place:
                    ui.element("tenon-picture").props(f'camera="{camera}"')

    return refresh


def run_buttons(context: Context) -> Refresh:
    """Start, pause and resume."""
    operator = context.operator
    with ui.element("div").classes("t-buttons"):
        start = ui.button("Start", icon="play_arrow", on_click=lambda: ask(operator.start, what="run"))
        start.props("unelevated color=positive")
        other = ui.button("Start…", on_click=lambda: _start_dialog(context)).props("outline")
        other.tooltip("with another controller or number of episodes than the session's")
        pause = ui.button("Pause", icon="pause", on_click=lambda: ask(operator.pause, what="session"))
        pause.props("outline")
        resume = ui.button("Resume", icon="skip_next", on_click=lambda: ask(operator.resume, what="session"))
        resume.props("outline")

    def refresh(view: ConsoleView) -> None:
        start.set_enabled(can_start(view))
        other.set_enabled(can_start(view))
        pause.set_enabled(can_pause(view))
        resume.set_enabled(can_resume(view))

    return refresh


def _start_dialog(context: Context) -> None:
    with dialog("w-80") as shown:
        ui.label("Start a run").classes("text-lg font-medium")
        seen = [episode.controller for episode in context.model.view().progress.episodes]
        likely = next((name for name in reversed(seen) if name in CONTROLLERS), DEFAULT_CONTROLLER)
        controller = ui.select(list(CONTROLLERS), value=likely, label="controller").classes("w-full")
        episodes = ui.number("episodes", value=5, min=1, precision=0).classes("w-full")
        seed = ui.number("seed of the first episode", value=0, min=0, precision=0).classes("w-full")
        error_mm = ui.number("goal off by up to (mm)", value=0.0, min=0.0, max=20.0).classes("w-full")
        train = ui.switch("train on it", value=False)
        record = ui.switch("record it", value=True)

        async def begin() -> None:
            plan = SessionPlan(
                controller=str(controller.value),
                episodes=int(episodes.value or 1),
                train=bool(train.value),
                deterministic=not train.value,
                goal_error_m=float(error_mm.value or 0.0) * 1e-3,
                seed=int(seed.value or 0),
                stop_at_success=not train.value,
                record=bool(record.value),
            )
            begins.disable()  # while it is awaited: a second goal would be refused, as if the first had been
            is_done = await ask(lambda: context.operator.start_run(plan), what="run")
            if shown.is_deleted:
                return
            begins.enable()
            if is_done:
                shown.close()

        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=shown.close).props("flat")
            begins = ui.button("Begin", on_click=begin).props("unelevated")


def mark_buttons(context: Context) -> Refresh:
    """The operator's word on the episode that runs."""
    operator = context.operator
    with ui.element("div").classes("t-buttons"):
        buttons = [
            ui.button("Success", icon="check", on_click=lambda: ask(lambda: operator.mark("success"), what="marked")),
            ui.button("Failure", icon="close", on_click=lambda: ask(lambda: operator.mark("failure"), what="marked")),
            ui.button("Discard", icon="delete", on_click=lambda: ask(lambda: operator.mark("discard"), what="marked")),
        ]
    for button, colour in zip(buttons, ("positive", "negative", "grey"), strict=True):
        button.props(f"outline color={colour}")

    def refresh(view: ConsoleView) -> None:
        for button in buttons:
            button.set_enabled(view.is_connected and view.progress.phase is SessionPhase.RUNNING)

    return refresh


def drive_pad(context: Context) -> Refresh:
    """The on-screen control, and the way to give the arm back."""
    drive, teleop, operator = context.config.drive, context.teleop, context.operator
    with ui.element("div") as place:
        pad = ui.element("tenon-drive").props(f"rate={drive.rate_hz} unacknowledged={drive.unacknowledged}")
    pad.props(f'axes="{" ".join(teleop.axes)}"')
    ui.label(f"Hold a key to move, let go to stop. Full speed {teleop.speed_m_s * 1e3:g} mm/s.").classes("t-faint")
    back = ui.button("Hand back", icon="undo", on_click=lambda: ask(operator.hand_back, what="arm")).props("outline")
    back.tooltip("to the policy or controller from which a person took over")

    def refresh(view: ConsoleView) -> None:
        if view.takes_hand:
            place.props(remove=WITHOUT_EFFECT)
        else:
            place.props(WITHOUT_EFFECT)
        back.set_enabled(view.is_driven)

    return refresh


def tile(name: str) -> ui.label:
    """A figure with its name below; returns the label of the figure."""
    with ui.element("div").classes("t-tile"):
        value = ui.label("–").classes("value")
        ui.label(name).classes("name")
    return value


class Plot:
    """Lines over one axis. It sends to the browser only what has changed."""

    def __init__(self, x_name: str, y_name: str, *, y_range: tuple[float, float] | None = None) -> None:
        grey = {"color": GREY}
        axis = {
            "nameLocation": "middle",
            "nameTextStyle": grey,
            "axisLabel": grey,
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.2}},
        }
        y_axis: dict[str, Any] = {**axis, "type": "value", "scale": True, "name": y_name, "nameGap": 38}
        if y_range is not None:
            y_axis |= {"min": y_range[0], "max": y_range[1]}
        self._shown: Mapping[str, Points] = {}
        options: dict[str, Any] = {
            "animation": False,
            "color": list(COLOURS),
            "grid": {"left": 52, "right": 12, "top": 26, "bottom": 36},
            "legend": {"top": 0, "itemWidth": 14, "itemHeight": 8, "textStyle": grey},
            "tooltip": {"trigger": "axis"},
            "xAxis": {**axis, "type": "value", "name": x_name, "nameGap": 22, "min": "dataMin", "max": "dataMax"},
            "yAxis": y_axis,
            "series": [],
        }
        self._chart = ui.echart(options).classes("t-chart")

    def show(self, series: Mapping[str, Points]) -> None:
        """By name of the line: pairs of x and y."""
        if series == self._shown:
            return
        self._shown = {name: list(points) for name, points in series.items()}
        self._chart.options["series"] = [
            {"type": "line", "name": name, "showSymbol": len(points) < 2, "lineStyle": {"width": 1.6}, "data": points}
            for name, points in self._shown.items()
        ]
        self._chart.update()


class Table:
    """Rows of text; the browser gets only the cells that have changed."""

    def __init__(self, columns: Sequence[str], *, numbers: Sequence[str] = ()) -> None:
        self._columns, self._numbers = tuple(columns), frozenset(numbers)
        self._rows: list[tuple[ui.element, list[ui.label]]] = []
        with ui.element("div").classes("t-scroll"):
            self._table = ui.element("table").classes("t-table")
        with self._table, ui.element("tr"):
            for column in self._columns:
                self._cell("th", column, column)

    def show(self, rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """styles: class of each row, where it has one."""
        while len(self._rows) > len(rows):
            self._rows.pop()[0].delete()
        while len(self._rows) < len(rows):
            with self._table, ui.element("tr") as line:
                self._rows.append((line, [self._cell("td", column, "") for column in self._columns]))
        for index, (texts, (line, labels)) in enumerate(zip(rows, self._rows, strict=True)):
            line.classes(replace=styles[index] if styles else "")
            for text, label in zip(texts, labels, strict=True):
                label.set_text(text)

    def _cell(self, tag: str, column: str, text: str) -> ui.label:
        with ui.element(tag).classes("number" if column in self._numbers else ""):
            return ui.label(text)
