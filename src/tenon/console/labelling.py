"""One episode that is being labelled, on a page or in a terminal: its frames, the marks that are set, keeping them."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tenon.data.labels import Flags, Frames, Labels, LabelStore, load_frames, marks_from_success, success_from_marks
from tenon.data.store import Episode, EpisodeStore

if TYPE_CHECKING:
    from tenon.rewards.labelling import Proposal


class EpisodeLabelling:
    """The marks begin as the newest labels have them, else as the reward of the recording had it.

    So too where the labels are of other frames: of the original of an episode whose repaired form lacks some.
    proposal: what a classifier would mark; None without one.
    """

    def __init__(self, frames: Frames, labels: Labels | None, proposal: Proposal | None = None) -> None:
        self.frames = frames
        self.labels = labels
        self.proposal = proposal
        self.recorded = frames.success
        fitting = labels if labels is not None and labels.fits(len(frames)) else None
        self.marks = set(marks_from_success(frames.success) if fitting is None else fitting.marks)
        self.frame = 0

    @classmethod
    def open(cls, episode: Episode) -> EpisodeLabelling:
        """Raises LabelError, EpisodeError."""
        return cls(load_frames(episode), LabelStore(episode.path.parent).latest(episode))

    @property
    def episode(self) -> Episode:
        return self.frames.episode

    @property
    def success(self) -> Flags:
        """(N,): by the marks."""
        return success_from_marks(sorted(self.marks), len(self.frames))

    @property
    def is_changed(self) -> bool:
        """Whether there is something to keep: other marks than the labels', or no labels yet."""
        return self.labels is None or not self.is_labelled or tuple(sorted(self.marks)) != self.labels.marks

    @property
    def is_labelled(self) -> bool:
        """Whether there are labels, and of these frames."""
        return self.labels is not None and self.labels.fits(len(self.frames))

    def go_to(self, frame: int) -> None:
        """The frame that is looked at, kept within the episode."""
        self.frame = max(0, min(len(self.frames) - 1, frame))

    def toggle(self) -> None:
        """The label changes at the frame that is looked at, or no longer does."""
        self.marks ^= {self.frame}

    def succeeds_here(self) -> None:
        """The task is done from this frame on, and at none before."""
        self.marks = {self.frame}

    def never(self) -> None:
        """The task is never done."""
        self.marks = set()

    def accept(self) -> None:
        """The marks are those of the proposal, where there is one."""
        if self.proposal is not None:
            self.marks = set(self.proposal.marks)

    def differences(self) -> Flags:
        """(N,): where the marks and the proposal differ; nowhere without one."""
        success = self.success
        return np.zeros_like(success) if self.proposal is None else success != self.proposal.success

    def save(self, *, by: str, at: datetime) -> Labels:
        """Adds a labelling; older ones stay. Raises LabelError, also where somebody else was faster."""
        store = LabelStore(self.episode.path.parent)
        seen, marks = 0 if self.labels is None else self.labels.version, tuple(sorted(self.marks))
        is_proposal = self.proposal is not None and marks == self.proposal.marks
        version = self.proposal.version if self.proposal is not None and is_proposal else ""
        self.labels = store.save(
            self.episode, len(self.frames), marks, by=by, at=at, seen_version=seen, classifier=version
        )
        return self.labels


def episodes_to_label(folder: Path) -> list[tuple[Episode, Labels | None]]:
    """The finished episodes of a folder with their newest labels. Raises LabelError."""
    store = LabelStore(folder)
    return [(episode, store.latest(episode)) for episode in EpisodeStore(folder).episodes()]


def data_url(rgb: np.ndarray) -> str:
    """(height, width, 3) uint8 RGB as the address of a PNG."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(rgb[:, :, ::-1]))
    if not done:
        raise ValueError(f"a picture of {rgb.shape} cannot be encoded as PNG")
    return f"data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}"
