"""Labels beside a reward classifier: its proposals, the episodes where the two differ most first, its threshold."""

from __future__ import annotations

from pathlib import Path

from tenon.console.labelling import EpisodeLabelling
from tenon.data.images import Image
from tenon.data.labels import LabelError
from tenon.data.store import EpisodeStore
from tenon.rewards.daib import RewardClassifier
from tenon.rewards.labelling import disagreements, labelled_frames, precision_recall, propose
from tenon.rewards.labelling.picture import curve_picture


def compare(folder: Path, classifier: RewardClassifier) -> list[EpisodeLabelling]:
    """The episodes of a folder with proposals, the surest disagreement's first; each stands at its own.

    Raises LabelError, EpisodeError, RewardError.
    """
    return surest_first([EpisodeLabelling.open(episode) for episode in EpisodeStore(folder).episodes()], classifier)


def surest_first(found: list[EpisodeLabelling], classifier: RewardClassifier) -> list[EpisodeLabelling]:
    """The same with proposals, those with the surest disagreement first and at its frame. Raises RewardError."""
    success = [labelling.success for labelling in found]
    proposals = propose(classifier, [labelling.frames for labelling in found], success)
    for labelling, proposal in zip(found, proposals, strict=True):
        labelling.proposal = proposal
    first: dict[int, int] = {}
    for difference in disagreements(proposals, success, classifier):
        first.setdefault(difference.episode, difference.frame)
    for number, frame in first.items():
        found[number].go_to(frame)
    rest = [number for number in range(len(found)) if number not in first]
    return [found[number] for number in (*first, *rest)]


def threshold_picture(found: list[EpisodeLabelling], classifier: RewardClassifier, name: str) -> Image:
    """Precision and recall over the threshold, on the episodes that are labelled. (height, width, 3) RGB.

    Raises LabelError where none is, ConfigurationError where all frames are of one kind.
    """
    labelled = [labelling for labelling in found if labelling.labels is not None]
    if not labelled:
        raise LabelError("none of these episodes is labelled: mark and save some first")
    frames = [labelling.frames for labelling in labelled]
    data = labelled_frames(frames, [labelling.success for labelling in labelled], name=name, series=name)
    curve = precision_recall(classifier, data, [name])
    title = f"{len(data)} frames of {len(labelled)} labelled episodes of {name}"
    return curve_picture(curve, classifier.calibration.threshold_logit, title)
