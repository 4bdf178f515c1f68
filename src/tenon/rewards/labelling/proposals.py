"""What a classifier would label, and where it and a person differ most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.data.labels import Flags, Frames, LabelError, marks_from_success
from tenon.rewards.daib import RewardClassifier
from tenon.rewards.daib.free_plug import EPISODES, FREE_STEPS, FreePlug, learn_free_plug
from tenon.rewards.daib.hits import STILL_FRAMES, SessionBest, is_still


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """For one episode. logit, probability (N,): of each frame. success (N,): as the classifier would label them."""

    logit: NDArray[np.float32]
    probability: NDArray[np.float64]
    success: Flags
    version: str

    @property
    def marks(self) -> tuple[int, ...]:
        """The same as marks of ``tenon.data.labels``."""
        return marks_from_success(self.success)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A run of frames that the classifier labels otherwise. episode: position among those that were compared.

    first, frames: of the run. frame: the one in it of which the classifier is surest. labelled: what the label says
    there. probability: of success there, by the classifier. doubt: logits between that frame and the threshold.
    """

    episode: int
    first: int
    frames: int
    frame: int
    labelled: bool
    probability: float
    doubt: float


def propose(
    classifier: RewardClassifier, episodes: Sequence[Frames], success: Sequence[Flags] | None = None
) -> list[Proposal]:
    """One proposal per episode, all of one connector under one camera. success: as far as it is known, of each episode
    (N,); left out, as recorded.

    A frame is proposed as a success where it and a neighbour are above the threshold and as good as the best frames of
    all episodes: the rule of the reward, without its delay of a frame or two. Raises LabelError where no episode
    begins with the plug free, RewardError for pictures of another size.
    """
    if not episodes:
        return []
    known = [frames.success for frames in episodes] if success is None else success
    free = _free_plug(classifier, episodes, known)
    logits = [classifier.logits(frames.image, free) for frames in episodes]
    best = SessionBest()
    for logit in logits:
        best.begin_episode()
        for score in _pairs(logit).tolist():
            best.take(score)
    calibration = classifier.calibration
    lowest = max(calibration.threshold_logit, best.typical - calibration.margin_logit)
    return [
        Proposal(logit, calibration.probability(logit), _seated(logit, lowest, calibration.still), classifier.version)
        for logit in logits
    ]


def disagreements(
    proposals: Sequence[Proposal], success: Sequence[Flags], classifier: RewardClassifier
) -> list[Disagreement]:
    """Where proposal and label (N,) of each episode differ, the surest of the classifier's first."""
    threshold = classifier.calibration.threshold_logit
    found = [
        _disagreement(number, first, end, proposal, labelled, threshold)
        for number, (proposal, labelled) in enumerate(zip(proposals, success, strict=True))
        for first, end in _runs(proposal.success != labelled)
    ]
    return sorted(found, key=lambda one: one.doubt, reverse=True)


def _disagreement(
    number: int, first: int, end: int, proposal: Proposal, labelled: Flags, threshold: float
) -> Disagreement:
    doubts = np.abs(proposal.logit[first:end].astype(np.float64) - threshold)
    frame = first + int(doubts.argmax())
    return Disagreement(
        episode=number,
        first=first,
        frames=end - first,
        frame=frame,
        labelled=bool(labelled[frame]),
        probability=float(proposal.probability[frame]),
        doubt=float(doubts.max()),
    )


def _free_plug(classifier: RewardClassifier, episodes: Sequence[Frames], known: Sequence[Flags]) -> FreePlug:
    """As the reward learns it in a session: from the first frames of the first episodes that begin with it free."""
    if classifier.config.sees == "picture":
        return learn_free_plug(episodes[0].image[:1])
    beginnings = [
        frames.image[:FREE_STEPS]
        for frames, done in zip(episodes, known, strict=True)
        if len(frames) and frames.step[0] == 0 and not done[:FREE_STEPS].any()
    ]
    if not beginnings:
        raise LabelError(
            f"none of the {len(episodes)} episodes begins with {FREE_STEPS} frames of a free plug, by which the "
            f"classifier knows it: mark the frames of one that does as no success, or add an episode from the start"
        )
    return learn_free_plug(np.concatenate(beginnings[:EPISODES]))


def _pairs(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N - 1,): the lower logit of each two consecutive frames."""
    return np.minimum(logit[1:], logit[:-1])


def _seated(logit: NDArray[np.float32], lowest: float, still: bool) -> Flags:
    """Frames above ``lowest`` beside another one, and those of runs that look the same, where these count."""
    seated = _without_single_frames(logit > lowest)
    for first in range(len(logit) - STILL_FRAMES + 1):
        frames = slice(first, first + STILL_FRAMES)
        seated[frames] |= still and is_still(logit[frames].tolist())
    return seated


def _without_single_frames(hits: Flags) -> Flags:
    follows = hits & np.append(False, hits[:-1])
    leads = hits & np.append(hits[1:], False)
    both: Flags = follows | leads
    return both


def _runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """(first, end) of each run of True."""
    marks = [*marks_from_success(flags), *([len(flags)] if flags[-1:].any() else [])]
    return zip(marks[::2], marks[1::2], strict=True)
