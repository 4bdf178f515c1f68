"""Which frames of an episode show the task done: scrub, mark, keep; with a classifier, its disagreements first."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nicegui import ui
from nicegui.events import GenericEventArguments, KeyEventArguments, ValueChangeEventArguments

from tenon.configuration import ConfigurationError
from tenon.console import runs
from tenon.console.comparison import compare, threshold_picture
from tenon.console.labelling import EpisodeLabelling, data_url, episodes_to_label
from tenon.console.web import parts
from tenon.console.web.context import Context
from tenon.console.web.datasets_page import NUMBER, ROWS, TEXT, columns
from tenon.console.web.layout import page
from tenon.data.checkpoint import CheckpointError
from tenon.data.episodes import EpisodeError
from tenon.data.labels import Flags, LabelError, Labels
from tenon.data.store import Episode
from tenon.rewards import RewardError
from tenon.rewards.daib import RewardClassifier

NAMES = (("episode", NUMBER), ("result", TEXT), ("labels", TEXT), ("classifier", TEXT))
HELP = "← → step, Space: the label changes here, S: save"
SCRUB_PERIOD_S = 0.05
PROBLEMS = (LabelError, EpisodeError, RewardError, CheckpointError, ConfigurationError)


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
        self._compared: list[EpisodeLabelling] = []
        self._classifier: RewardClassifier | None = None

    # --- the list ---------------------------------------------------------------------------------------------------

    def build_list(self) -> None:
        self._folder = ui.select({}, label="recordings", on_change=self._on_folder)
        self._folder.classes("w-full").props("dense outlined")
        self._by = ui.input("labelled by", value=getpass.getuser()).classes("w-full").props("dense outlined")
        self._judge = ui.select({}, label="reward classifier").classes("w-full").props("dense outlined")
        with ui.element("div").classes("t-buttons"):
            ui.button("Propose", icon="balance", on_click=self._compare).props("outline")
            ui.button("Threshold", icon="show_chart", on_click=self._show_threshold).props("outline")
        self._list = ui.table(columns=columns(*NAMES), rows=[], row_key="episode", pagination=ROWS)
        self._list.classes("w-full").on("rowClick", self._on_row)

    async def load(self, name: str) -> None:
        """Fills the choices, and opens the recordings of this name."""
        if not self._root.is_dir():
            self._said.set_text(f"There is no folder {self._root}. Name another one with --runs.")
            return
        folders = await asyncio.to_thread(runs.dataset_folders, self._root)
        names = {str(folder): runs.dataset_name(self._root, folder) for folder in folders}
        chosen = next((path for path, known in names.items() if known == name), None)
        self._folder.set_options(names, value=chosen)
        judges = await asyncio.to_thread(runs.classifiers, self._root)
        self._judge.set_options({str(path): str(path.relative_to(self._root)) for path in judges})

    async def _on_folder(self, change: ValueChangeEventArguments[str | None]) -> None:
        self._compared, self._classifier = [], None
        if change.value is not None:
            await self._list_episodes(Path(change.value))

    async def _list_episodes(self, folder: Path) -> None:
        """In order of number; after a comparison in its order, with what the classifier says."""
        try:
            found = await asyncio.to_thread(episodes_to_label, folder)
        except PROBLEMS as error:
            self._complain(error)
            return
        labels = {episode.number: newest for episode, newest in found}
        self._episodes = {episode.number: episode for episode, _ in found}
        compared = {labelling.episode.number: labelling for labelling in self._compared}
        self._list.rows = [
            {
                "episode": number,
                "result": self._episodes[number].outcome.result,
                "labels": _labels_text(labels[number]),
                "classifier": _difference_text(compared.get(number)),
            }
            for number in (compared or self._episodes)
        ]

    async def _compare(self) -> None:
        """Has the classifier look at all frames of all episodes."""
        if self._folder.value is None or self._judge.value is None:
            self._said.set_text("Choose recordings and a classifier. tenon train daib makes one.")
            return
        folder = Path(self._folder.value)
        self._said.set_text("The classifier looks at every frame …")
        try:
            self._classifier = await asyncio.to_thread(RewardClassifier.load, Path(self._judge.value))
            self._compared = await asyncio.to_thread(compare, folder, self._classifier)
        except PROBLEMS as error:
            self._complain(error)
            return
        self._said.set_text("The episodes in which it differs most from the labels come first.")
        await self._list_episodes(folder)

    async def _show_threshold(self) -> None:
        if self._classifier is None:
            self._said.set_text("Let the classifier propose first.")
            return
        name = runs.dataset_name(self._root, Path(str(self._folder.value)))
        try:
            picture = await asyncio.to_thread(threshold_picture, self._compared, self._classifier, name)
        except PROBLEMS as error:
            self._complain(error)
            return
        with ui.dialog(value=True).props("maximized=false full-width"), ui.card().classes("w-full"):
            ui.image(data_url(picture)).props("fit=contain no-transition")
            ui.label("Choose another threshold with: tenon label calibrate").classes("t-faint")

    async def _on_row(self, event: GenericEventArguments) -> None:
        number = int(event.args[1]["episode"])
        for labelling in self._compared:
            if labelling.episode.number == number:
                self._edit(labelling)
                return
        await self._open(self._episodes[number])

    # --- the frames -------------------------------------------------------------------------------------------------

    def build_frames(self) -> None:
        self._said = ui.label("Choose recordings, then an episode.").classes("t-faint")
        with ui.column().classes("w-full") as self._editor:
            self._picture = ui.image().classes("t-frame").props("fit=contain no-spinner no-transition")
            ui.label("by the marks").classes("t-title")
            self._marked = ui.element("div").classes("t-strip")
            ui.label("by the reward, as recorded").classes("t-title")
            self._recorded = ui.element("div").classes("t-strip")
            with ui.column().classes("w-full") as self._by_classifier:
                ui.label("by the classifier").classes("t-title")
                self._proposed = ui.element("div").classes("t-strip")
            self._slider = ui.slider(min=0, max=1, step=1, value=0).props("label")
            self._slider.on("update:model-value", self._on_slide, throttle=SCRUB_PERIOD_S, leading_events=True)
            self._slider.on("change", js_handler="() => document.activeElement.blur()")  # arrow keys are the page's
            with ui.element("div").classes("t-buttons"):
                self._button("Success from here on", "flag", lambda opened: opened.succeeds_here())
                self._button("Changes here", "swap_horiz", lambda opened: opened.toggle())
                self._button("Never", "block", lambda opened: opened.never())
                self._accept = self._button("As the classifier", "balance", lambda opened: opened.accept())
                self._save = ui.button("Save", icon="save", on_click=self._keep).props("unelevated")
            ui.label(HELP).classes("t-faint")
        self._editor.set_visibility(False)

    def _button(self, text: str, icon: str, act: Callable[[EpisodeLabelling], None]) -> ui.button:
        return ui.button(text, icon=icon, on_click=lambda: self._change(act)).props("outline")

    async def _open(self, episode: Episode) -> None:
        try:
            self._edit(await asyncio.to_thread(EpisodeLabelling.open, episode))
        except PROBLEMS as error:
            self._complain(error)

    def _edit(self, labelling: EpisodeLabelling) -> None:
        self._opened = labelling
        self._slider.props(f"max={len(labelling.frames) - 1}")
        for part in (self._by_classifier, self._accept):
            part.set_visibility(labelling.proposal is not None)
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
        if opened.proposal is not None:
            _strip(self._proposed, opened.proposal.success, at)
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
        except PROBLEMS as error:
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


def _difference_text(labelling: EpisodeLabelling | None) -> str:
    if labelling is None or labelling.proposal is None:
        return "–"
    frames = int(labelling.differences().sum())
    return f"differs in {frames}" if frames else "agrees"


def _strip(place: ui.element, success: Flags, at: int) -> None:
    """A band with a cell per frame."""
    cells = "".join(
        f'<i class="{"done" if done else ""}{" at" if index == at else ""}"></i>' for index, done in enumerate(success)
    )
    place.clear()
    with place:
        ui.html(cells, sanitize=False, tag="span")
