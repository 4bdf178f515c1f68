"""The frames of the episode that is labelled: scrub, mark, keep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nicegui import ui
from nicegui.events import GenericEventArguments, KeyEventArguments

from tenon.configuration import ConfigurationError
from tenon.console.labelling import EpisodeLabelling, data_url
from tenon.data.checkpoint import CheckpointError
from tenon.data.episodes import EpisodeError
from tenon.data.labels import Flags, LabelError
from tenon.rewards import RewardError

CHOOSE = "Choose recordings, then an episode."
HELP = "← → step, Space: the label changes here, S: save"
SCRUB_PERIOD_S = 0.05
PROBLEMS = (LabelError, EpisodeError, RewardError, CheckpointError, ConfigurationError)


def complain(error: Exception) -> None:
    """Shows what went wrong until it is closed."""
    ui.notify(str(error), type="negative", multi_line=True, close_button=True, timeout=0)


@dataclass(frozen=True, slots=True)
class _Draft:
    """Marks that were not kept. seen_version: of the labels that they were set beside, 0 without any."""

    marks: frozenset[int]
    frame: int
    seen_version: int


class Editor:
    """Holds one episode at a time, or none, and the marks of all that were left without keeping theirs.

    labelled_by: who labels. on_kept: awaited with the folder of an episode whose labels were kept.
    """

    def __init__(self, labelled_by: Callable[[], str], on_kept: Callable[[Path], Awaitable[None]]) -> None:
        self._labelled_by, self._on_kept = labelled_by, on_kept
        self._run = ""
        self._opened: EpisodeLabelling | None = None
        self._begun: frozenset[int] = frozenset()
        self._drafts: dict[Path, _Draft] = {}
        self._saving: tuple[EpisodeLabelling, frozenset[int]] | None = None
        self._build()

    def open(self, run: str, labelling: EpisodeLabelling) -> None:
        """In place of what was open, whose marks wait where they were not kept. run: name of the recordings."""
        self._leave()
        self._run, self._opened, self._begun = run, labelling, frozenset(labelling.marks)
        self._take_up(labelling)
        self._slider.props(f"max={len(labelling.frames) - 1}")
        for part in (self._by_classifier, self._accept):
            part.set_visibility(labelling.proposal is not None)
        self._frames.set_visibility(True)
        self._show()

    def close(self) -> None:
        """Nothing can be marked or kept until another episode is opened. Marks that were not kept wait."""
        self._leave()
        self._opened = None
        self._frames.set_visibility(False)
        self.say(CHOOSE)

    def say(self, text: str) -> None:
        """Above the frames."""
        self._said.set_text(text)

    async def on_key(self, event: KeyEventArguments) -> None:
        """A key that the page has heard. Only steps are repeated while it is held."""
        if not event.action.keydown:
            return
        if event.key.arrow_left or event.key.arrow_right:
            step = 1 if event.key.arrow_right else -1
            self._change(lambda opened: opened.go_to(opened.frame + step))
        elif event.action.repeat:
            return
        elif event.key.space:
            self._change(lambda opened: opened.toggle())
        elif event.key == "s":
            await self._keep()

    def _build(self) -> None:
        self._said = ui.label(CHOOSE).classes("t-faint")
        with ui.column().classes("w-full") as self._frames:
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
        self._frames.set_visibility(False)

    def _button(self, text: str, icon: str, act: Callable[[EpisodeLabelling], None]) -> ui.button:
        return ui.button(text, icon=icon, on_click=lambda: self._change(act)).props("outline")

    def _on_slide(self, event: GenericEventArguments) -> None:
        self._change(lambda opened: opened.go_to(int(event.args)))

    def _change(self, act: Callable[[EpisodeLabelling], None]) -> None:
        if self._opened is not None:
            act(self._opened)
            self._show()

    def _leave(self) -> None:
        """Notes the marks of what is open, where they were changed and not kept."""
        opened = self._opened
        if opened is None:
            return
        path, marks = opened.episode.path, frozenset(opened.marks)
        self._drafts.pop(path, None)
        if marks != self._begun:
            self._drafts[path] = _Draft(marks, opened.frame, _version(opened))
            ui.notify(f"{self._run}, {path.name}: its marks are not saved; they are there when you open it again")

    def _take_up(self, labelling: EpisodeLabelling) -> None:
        """Goes on from marks that were not kept, unless somebody has labelled the episode meanwhile."""
        draft = self._drafts.pop(labelling.episode.path, None)
        if draft is None:
            return
        labels = labelling.labels
        if draft.seen_version == _version(labelling):
            labelling.marks = set(draft.marks)
            labelling.go_to(draft.frame)
        elif labels is not None and draft.marks != frozenset(labels.marks):
            lost = ", ".join(map(str, sorted(draft.marks))) or "none"
            ui.notify(
                f"{labelling.episode.path.name}: {labels.by} has labelled it meanwhile, which is what you see. Your "
                f"marks were: {lost}",
                type="warning",
                close_button=True,
                timeout=0,
            )

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
        state += ", marks not saved" if opened.marks != self._begun else ""
        where = f"frame {at} of {len(frames) - 1}, {frames.time_s[at]:.2f} s"
        self.say(f"{self._run}, {opened.episode.path.name}: {where}: {state}")
        self._save.set_enabled(opened.is_changed)

    async def _keep(self) -> None:
        opened, run = self._opened, self._run
        if opened is None or not opened.is_changed:
            return
        asked = (opened, frozenset(opened.marks))
        if self._saving is not None:
            if self._saving != asked:
                before = self._saving[0].episode.path.name
                ui.notify(f"{before} is still being saved: save {opened.episode.path.name} once that is done")
            return
        self._saving = asked
        try:
            labels = await asyncio.to_thread(opened.save, by=self._labelled_by(), at=datetime.now(UTC))
        except PROBLEMS as error:
            complain(error)
            return
        finally:
            self._saving = None
        ui.notify(f"{run}, {opened.episode.path.name}: version {labels.version} is kept", type="positive")
        kept = frozenset(labels.marks)
        if (draft := self._drafts.get(opened.episode.path)) is not None and draft.marks == kept:
            del self._drafts[opened.episode.path]
        if self._opened is opened:
            self._begun = kept
            self._show()
        await self._on_kept(opened.episode.path.parent)


def _version(labelling: EpisodeLabelling) -> int:
    return 0 if labelling.labels is None else labelling.labels.version


def _strip(place: ui.element, success: Flags, at: int) -> None:
    """A band with a cell per frame."""
    cells = "".join(
        f'<i class="{"done" if done else ""}{" at" if index == at else ""}"></i>' for index, done in enumerate(success)
    )
    place.clear()
    with place:
        ui.html(cells, sanitize=False, tag="span")
