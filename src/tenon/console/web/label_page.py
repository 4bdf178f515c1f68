"""Which frames of an episode show the task done: scrub, mark, keep."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nicegui import ui
from nicegui.events import GenericEventArguments, KeyEventArguments, ValueChangeEventArguments

from tenon.console import runs
from tenon.console.labelling import EpisodeLabelling, data_url, episodes_to_label
from tenon.console.web import parts
from tenon.console.web.context import Context
from tenon.console.web.datasets_page import NUMBER, TEXT, columns, pagination
from tenon.console.web.layout import page
from tenon.data.episodes import EpisodeError
from tenon.data.labels import Flags, LabelError, Labels
from tenon.data.store import Episode

NAMES = (("episode", NUMBER), ("result", TEXT), ("labels", TEXT))
HELP = "← → step, Space: the label changes here, S: save"
SCRUB_PERIOD_S = 0.05


def build(context: Context, folder: str) -> None:
    """folder: name of the recordings that are opened at once; empty: none."""
    with page(context, "/label"), ui.element("div").classes("t-grid"):
        labelling = _Labelling(context)
        with parts.card("Episodes", "t-w4"):
            labelling.build_list()
        with parts.card("Frames", "t-w8"):
            labelling.build_frames()
        ui.timer(0.0, lambda: labelling.load(folder), once=True)
    ui.keyboard(on_key=labelling.on_key)


class _Labelling:
    def __init__(self, context: Context) -> None:
        self._root = context.config.runs
        self._opened: EpisodeLabelling | None = None
        self._episodes: dict[int, Episode] = {}

    # --- the list ---------------------------------------------------------------------------------------------------

    def build_list(self) -> None:
        self._folder = (
            ui.select({}, label="recordings", on_change=self._on_folder).classes("w-full").props("dense outlined")
        )
        self._by = ui.input("labelled by", value=getpass.getuser()).classes("w-full").props("dense outlined")
        self._list = ui.table(columns=columns(*NAMES), rows=[], row_key="episode", pagination=pagination(100))
        self._list.classes("w-full").on("rowClick", self._on_row)

    async def load(self, name: str) -> None:
        """Fills the choice of recordings, and opens those of this name."""
        folders = await asyncio.to_thread(runs.dataset_folders, self._root) if self._root.is_dir() else []
        names = {str(folder): runs.dataset_name(self._root, folder) for folder in folders}
        chosen = next((path for path, known in names.items() if known == name), None)
        self._folder.set_options(names, value=chosen)
        if not names:
            self._said.set_text(f"Nothing is recorded below {self._root}. Name another folder with --runs.")

    async def _on_folder(self, change: ValueChangeEventArguments[str | None]) -> None:
        if change.value is not None:
            await self._list_episodes(Path(change.value))

    async def _list_episodes(self, folder: Path) -> None:
        try:
            found = await asyncio.to_thread(episodes_to_label, folder)
        except LabelError as error:
            self._complain(error)
            return
        self._episodes = {episode.number: episode for episode, _ in found}
        self._list.rows = [
            {"episode": episode.number, "result": episode.outcome.result, "labels": _labels_text(labels)}
            for episode, labels in found
        ]

    async def _on_row(self, event: GenericEventArguments) -> None:
        await self._open(self._episodes[int(event.args[1]["episode"])])

    # --- the frames -------------------------------------------------------------------------------------------------

    def build_frames(self) -> None:
        self._said = ui.label("Choose recordings, then an episode.").classes("t-faint")
        with ui.column().classes("w-full") as self._editor:
            self._picture = ui.image().classes("t-frame").props("fit=contain no-spinner no-transition")
            ui.label("by the marks").classes("t-title")
            self._marked = ui.element("div").classes("t-strip")
            ui.label("by the reward, as recorded").classes("t-title")
            self._recorded = ui.element("div").classes("t-strip")
            self._slider = ui.slider(min=0, max=1, step=1, value=0).props("label")
            self._slider.on("update:model-value", self._on_slide, throttle=SCRUB_PERIOD_S, leading_events=True)
            self._slider.on("change", js_handler="() => document.activeElement.blur()")  # arrow keys are the page's
            with ui.element("div").classes("t-buttons"):
                self._button("Success from here on", "flag", lambda opened: opened.succeeds_here())
                self._button("Changes here", "swap_horiz", lambda opened: opened.toggle())
                self._button("Never", "block", lambda opened: opened.never())
                self._save = ui.button("Save", icon="save", on_click=self._keep).props("unelevated")
            ui.label(HELP).classes("t-faint")
        self._editor.set_visibility(False)

    def _button(self, text: str, icon: str, act: Callable[[EpisodeLabelling], None]) -> None:
        ui.button(text, icon=icon, on_click=lambda: self._change(act)).props("outline")

    async def _open(self, episode: Episode) -> None:
        try:
            self._opened = await asyncio.to_thread(EpisodeLabelling.open, episode)
        except (LabelError, EpisodeError) as error:
            self._complain(error)
            return
        self._slider.props(f"max={len(self._opened.frames) - 1}")
        self._editor.set_visibility(True)
        self._show()

    def _on_slide(self, event: GenericEventArguments) -> None:
        self._change(lambda opened: opened.go_to(int(event.args)))

    def _change(self, act: Callable[[EpisodeLabelling], None]) -> None:
        if self._opened is not None:
            act(self._opened)
            self._show()

    def _show(self) -> None:
        opened = self._opened
        assert opened is not None  # there is something to show
        frames, at = opened.frames, opened.frame
        self._picture.set_source(data_url(frames.image[at]))
        self._slider.set_value(at)
        success = opened.success
        _strip(self._marked, success, at)
        _strip(self._recorded, opened.recorded, at)
        state = "done" if success[at] else "not done"
        last = len(frames) - 1
        self._said.set_text(f"{opened.episode.path.name}: frame {at} of {last}, {frames.time_s[at]:.2f} s: {state}")
        self._save.set_enabled(opened.is_changed)

    async def _keep(self) -> None:
        opened = self._opened
        if opened is None:
            return
        try:
            labels = await asyncio.to_thread(opened.save, by=self._by.value, at=datetime.now(UTC))
        except LabelError as error:
            self._complain(error)
            return
        ui.notify(f"{opened.episode.path.name}: version {labels.version} is kept", type="positive")
        self._show()
        await self._list_episodes(opened.episode.path.parent)

    async def on_key(self, event: KeyEventArguments) -> None:
        if self._opened is None or not event.action.keydown:
            return
        if event.key.arrow_left or event.key.arrow_right:
            step = 1 if event.key.arrow_right else -1
            self._change(lambda opened: opened.go_to(opened.frame + step))
        elif event.key.space:
            self._change(lambda opened: opened.toggle())
        elif event.key == "s":
            await self._keep()

    def _complain(self, error: Exception) -> None:
        ui.notify(str(error), type="negative", multi_line=True, close_button=True, timeout=0)


def _labels_text(labels: Labels | None) -> str:
    if labels is None:
        return "–"
    return f"{'done at ' + str(labels.marks[0]) if labels.marks else 'never done'} ({labels.by})"


def _strip(place: ui.element, success: Flags, at: int) -> None:
    """A band with a cell per frame."""
    cells = "".join(
        f'<i class="{"done" if done else ""}{" at" if index == at else ""}"></i>' for index, done in enumerate(success)
    )
    place.clear()
    with place:
        ui.html(cells, sanitize=False, tag="span")
