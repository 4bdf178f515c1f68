"""Which frames of an episode show the task done: choose it here; with a classifier, its disagreements first."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path

from nicegui import ui
from nicegui.events import GenericEventArguments, ValueChangeEventArguments

from tenon.console import runs
from tenon.console.comparison import Comparison, comparisons, threshold_of
from tenon.console.labelling import EpisodeLabelling, data_url, episodes_to_label
from tenon.console.web import parts
from tenon.console.web.context import Context
from tenon.console.web.datasets_page import NUMBER, ROWS, TEXT, columns
from tenon.console.web.label_editor import PROBLEMS, Editor, complain
from tenon.console.web.layout import page
from tenon.console.web.work import do_heavy
from tenon.data.labels import Labels, frame_count
from tenon.data.store import Episode

NAMES = (("episode", NUMBER), ("result", TEXT), ("labels", TEXT), ("classifier", TEXT))
LET_GO = '(event) => event.target.closest("button") && document.activeElement.blur()'
"""A button that was clicked would keep the keys: arrows would do nothing, and Space would press it again."""
KEEP_STILL = '(key) => [" ", "ArrowLeft", "ArrowRight"].includes(key.key) && key.event.preventDefault()'
"""They label, and do not scroll as well."""


def build(context: Context, folder: str) -> None:
    """folder: name of the recordings that are opened at once; empty: none."""
    with page(context, "/label"), ui.element("div").classes("t-grid").on("click", js_handler=LET_GO):
        episodes = _Episodes(context.config.runs)
        with parts.card("Episodes", "t-w4"):
            episodes.build()
        with parts.card("Frames", "t-w8"):
            editor = episodes.editor = Editor(episodes.labelled_by, episodes.on_kept)
        ui.timer(0.0, lambda: episodes.load(folder), once=True)
    ui.keyboard(on_key=editor.on_key).on("key", js_handler=KEEP_STILL)


class _Turn:
    """Of what was asked for several times, only the newest counts, whichever is ready first."""

    def __init__(self) -> None:
        self._newest = 0

    def take(self) -> int:
        """Makes all that were taken before outdated."""
        self._newest += 1
        return self._newest

    def is_newest(self, turn: int) -> bool:
        return turn == self._newest


class _Episodes:
    """The list, and what a classifier says of it. Of the look at an episode proposals are kept, and no frames."""

    editor: Editor

    def __init__(self, root: Path) -> None:
        self._root = root
        self._episodes: dict[int, Episode] = {}
        self._compared: dict[int, Comparison] = {}
        self._compared_with: Path | None = None
        self._listing, self._opening, self._comparing = _Turn(), _Turn(), _Turn()

    def build(self) -> None:
        self._folder = ui.select({}, label="recordings", on_change=self._on_folder)
        self._folder.classes("w-full").props("dense outlined")
        self._by = ui.input("labelled by", value=getpass.getuser()).classes("w-full").props("dense outlined")
        self._judge = ui.select({}, label="reward classifier").classes("w-full").props("dense outlined")
        with ui.element("div").classes("t-buttons"):
            self._propose = ui.button("Propose", icon="balance", on_click=self._compare).props("outline")
            self._curve = ui.button("Threshold", icon="show_chart", on_click=self._show_threshold).props("outline")
        self._list = ui.table(columns=columns(*NAMES), rows=[], row_key="episode", pagination=ROWS)
        self._list.classes("w-full").on("rowClick", self._on_row)

    def labelled_by(self) -> str:
        return str(self._by.value)

    async def load(self, name: str) -> None:
        """Fills the choices, and opens the recordings of this name."""
        if not self._root.is_dir():
            self.editor.say(f"There is no folder {self._root}. Name another one with --runs.")
            return
        folders = await asyncio.to_thread(runs.dataset_folders, self._root)
        names = {str(folder): runs.dataset_name(self._root, folder) for folder in folders}
        chosen = next((path for path, known in names.items() if known == name), None)
        self._folder.set_options(names, value=chosen)
        judges = await asyncio.to_thread(runs.classifiers, self._root)
        self._judge.set_options({str(path): str(path.relative_to(self._root)) for path in judges})

    async def on_kept(self, folder: Path) -> None:
        """Labels of an episode in ``folder`` were kept."""
        if self._is_chosen(folder):
            await self._list_episodes(folder)

    def _is_chosen(self, folder: Path) -> bool:
        return str(self._folder.value) == str(folder)

    async def _on_folder(self, change: ValueChangeEventArguments[str | None]) -> None:
        for turn in (self._listing, self._opening, self._comparing):
            turn.take()
        self._compared, self._compared_with = {}, None
        self._list.rows = []
        self.editor.close()
        if change.value is not None:
            await self._list_episodes(Path(change.value))

    async def _list_episodes(self, folder: Path) -> None:
        """In order of number; after a comparison in its order, with what the classifier says."""
        turn = self._listing.take()
        try:
            found = await asyncio.to_thread(episodes_to_label, folder)
            if not self._listing.is_newest(turn):
                return
            labels = {episode.number: newest for episode, newest in found}
            self._episodes = {episode.number: episode for episode, _ in found}
            numbers = [number for number in self._compared if number in labels] or list(labels)
            self._list.rows = [self._row(folder, number, labels[number]) for number in numbers]
        except PROBLEMS as error:
            if self._listing.is_newest(turn):
                complain(error)

    def _row(self, folder: Path, number: int, labels: Labels | None) -> dict[str, object]:
        episode = self._episodes[number]
        return {
            "folder": str(folder),
            "episode": number,
            "result": episode.outcome.result,
            "labels": _labels_text(episode, labels),
            "classifier": _difference_text(self._compared.get(number), labels),
        }

    async def _compare(self) -> None:
        """Has the classifier look at all frames of all episodes."""
        if self._folder.value is None or self._judge.value is None:
            self.editor.say("Choose recordings and a classifier. tenon train daib makes one.")
            return
        folder, judge, turn = Path(self._folder.value), Path(self._judge.value), self._comparing.take()
        self.editor.say("The classifier looks at every frame …")
        self._propose.disable()
        try:
            compared = await do_heavy(lambda: comparisons(folder, judge))
        except PROBLEMS as error:
            if self._comparing.is_newest(turn):
                complain(error)
            return
        finally:
            self._propose.enable()
        if self._comparing.is_newest(turn):
            self._compared = {comparison.episode.number: comparison for comparison in compared}
            self._compared_with = judge
            self.editor.say("The episodes in which it differs most from the labels come first.")
            await self._list_episodes(folder)

    async def _show_threshold(self) -> None:
        judge = self._compared_with
        if judge is None:
            self.editor.say("Let the classifier propose first.")
            return
        folder = Path(str(self._folder.value))
        self._curve.disable()
        try:
            picture = await do_heavy(lambda: threshold_of(folder, judge, runs.dataset_name(self._root, folder)))
        except PROBLEMS as error:
            complain(error)
            return
        finally:
            self._curve.enable()
        if self._is_chosen(folder):
            with parts.dialog("w-full") as shown:
                ui.image(data_url(picture)).props("fit=contain no-transition")
                ui.label("Choose another threshold with: tenon label calibrate").classes("t-faint")
            shown.props("full-width")

    async def _on_row(self, event: GenericEventArguments) -> None:
        row, turn = event.args[1], self._opening.take()
        if not self._is_chosen(Path(row["folder"])):
            return  # it was clicked before the browser knew of the other recordings
        number = int(row["episode"])
        compared = self._compared.get(number)
        try:
            labelling = await asyncio.to_thread(EpisodeLabelling.open, self._episodes[number])
        except PROBLEMS as error:
            complain(error)
            return
        if self._opening.is_newest(turn):
            if compared is not None:
                compared.hand_to(labelling)
            self.editor.open(runs.dataset_name(self._root, Path(row["folder"])), labelling)


def _labels_text(episode: Episode, labels: Labels | None) -> str:
    if labels is None:
        return "–"
    if not labels.fits(frame_count(episode)):
        return f"of other frames ({labels.by})"
    return f"{'done at ' + str(labels.marks[0]) if labels.marks else 'never done'} ({labels.by})"


def _difference_text(compared: Comparison | None, labels: Labels | None) -> str:
    if compared is None:
        return "–"
    frames = compared.differences(labels)
    return f"differs in {frames}" if frames else "agrees"
