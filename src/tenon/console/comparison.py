"""Labels beside a reward classifier: its proposals, the episodes where the two differ most first, its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenon.console.labelling import EpisodeLabelling, episodes_to_label
from tenon.data.domains import whole_episodes
from tenon.data.images import Image
from tenon.data.labels import Flags, LabelError, Labels
from tenon.data.store import Episode, EpisodeStore
from tenon.rewards.daib import RewardClassifier
from tenon.rewards.labelling import Proposal, disagreements, labelled_frames, precision_recall, propose, trained_on
from tenon.rewards.labelling.picture import curve_picture


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What is kept of the look at one episode, whose frames are read again when it is opened.

    recorded (N,): as the reward of the recording had it. frame: of the surest disagreement, 0 without one.
    """

    episode: Episode
    proposal: Proposal
    recorded: Flags
    frame: int

    def differences(self, labels: Labels | None) -> int:
        """How many frames the classifier says otherwise of than labels that fit; without them, than the recording."""
        success = self.recorded
        if labels is not None and labels.fits(len(success)):
            success = labels.success
        return int((success != self.proposal.success).sum())

    def hand_to(self, labelling: EpisodeLabelling) -> None:
        """Lets an episode that was just opened begin with what the classifier says of it."""
        labelling.proposal = self.proposal
        labelling.go_to(self.frame)


def comparisons(folder: Path, classifier: Path) -> list[Comparison]:
    """The episodes of a folder, the surest disagreement's first. classifier: its folder.

    Raises LabelError, EpisodeError, RewardError, CheckpointError.
    """
    kept = []
    for labelling in compare(folder, RewardClassifier.load(classifier)):
        assert labelling.proposal is not None  # it was compared
        kept.append(Comparison(labelling.episode, labelling.proposal, labelling.recorded, labelling.frame))
    return kept


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


def threshold_of(folder: Path, classifier: Path, name: str) -> Image:
    """``threshold_picture`` of the labelled episodes of a folder. classifier: its folder.

    Raises LabelError, EpisodeError, RewardError, CheckpointError, ConfigurationError.
    """
    labelled = [episode for episode, labels in episodes_to_label(folder) if labels is not None]
    found = [EpisodeLabelling.open(episode) for episode in whole_episodes(labelled)]
    return threshold_picture(found, RewardClassifier.load(classifier), name)


def threshold_picture(found: list[EpisodeLabelling], classifier: RewardClassifier, name: str) -> Image:
    """Precision and recall over the threshold, on the episodes that are labelled. (height, width, 3) RGB.

    Raises LabelError where none is, ConfigurationError where all frames are of one kind.
    """
    labelled = [labelling for labelling in found if labelling.is_labelled]
    if not labelled:
        raise LabelError("none of these episodes is labelled: mark and save some first")
    frames = [labelling.frames for labelling in labelled]
    data = labelled_frames(frames, [labelling.success for labelling in labelled], name=name, series=name)
    curve = precision_recall(classifier, data, [name])
    title = f"{len(data)} frames of {len(labelled)} labelled episodes of {name}"
    if learnt := trained_on(classifier, data, [name]):
        title += f"; it was trained on {len(learnt)} of them, and is worse than this"
    return curve_picture(curve, classifier.calibration.threshold_logit, title)
