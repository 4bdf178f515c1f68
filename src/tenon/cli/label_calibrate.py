"""`tenon label calibrate`: a classifier's threshold, chosen by a picture of what labelled episodes give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import note
from tenon.cli.dataset_folder import episodes_folder, finished_episodes
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenon.data.domains import LabelledImages
    from tenon.rewards.daib import RewardClassifier

_LISTED = 10


@dataclass(frozen=True)
class Calibrate:
    """Make temperature and threshold of a classifier anew, on labelled episodes that it was not trained on.

    The networks stay as they are; the classifier with the new calibration goes into a new folder.
    """

    classifier: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CLASSIFIER")]
    """Folder of the classifier, of `tenon train daib --out`."""
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")]
    """A run with labelled episodes, of which only these count; or a collection, of which the held-out connectors do."""
    out: Path | None = None
    """New folder for the classifier. Left out, only the picture is drawn."""
    picture: Path | None = None
    """New .png: precision and recall over the threshold, with the one that is chosen."""
    precision: float | None = None
    """Choose the threshold with the highest recall at a precision of this or more."""
    threshold: float | None = None
    """Choose this threshold, a probability. Default: the share of false positives decides, as in training."""
    allow_trained_on: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also take episodes that the classifier has learnt from: its figures on them are better than it is."""

    def run(self) -> int:
        import numpy as np

        from tenon.cli.dataset_folder import explained
        from tenon.cli.label import explained as labels_explained
        from tenon.cli.reward import load_classifier
        from tenon.configuration import ConfigurationError
        from tenon.data.checkpoint import CheckpointError
        from tenon.data.contact_sheet import write_png
        from tenon.rewards.labelling import precision_recall, recalibrated
        from tenon.rewards.labelling.picture import curve_picture

        self._check()
        classifier = load_classifier(self.classifier)
        try:
            with labels_explained():
                data, names = self._labelled()
                self._check_held_out(classifier, data, names)
                curve = precision_recall(classifier, data, names)
                logit = None
                if self.precision is not None:
                    logit = curve.at_precision(self.precision)
                elif self.threshold is not None:
                    logit = float(np.log(self.threshold / (1.0 - self.threshold))) * curve.temperature
                changed = recalibrated(classifier, data, names, logit)
                if logit is None:
                    curve = precision_recall(changed, data, names)
            calibration = changed.calibration
            precision, recall = curve.at(calibration.threshold_logit)
            if self.picture is not None:
                title = f"{self.classifier} on {self.data}: {calibration.frames} frames"
                with explained():
                    write_png(self.picture, curve_picture(curve, calibration.threshold_logit, title))
            if self.out is not None:
                changed.save(self.out)
        except (ConfigurationError, CheckpointError) as error:
            raise CommandError(str(error)) from error
        note(
            f"p_on {calibration.threshold:.4f}: precision {precision:.1%}, recall {recall:.1%}, false positives "
            f"{calibration.false_positive_rate:.2%} of {calibration.frames} frames; before: p_on "
            f"{classifier.calibration.threshold:.4f}"
        )
        if self.out is not None:
            note(f"{self.out}: version {changed.version}")
        return SUCCESS

    def _check(self) -> None:
        if self.out is None and self.picture is None:
            raise UsageError("nothing to make: name --out, --picture or both")
        if self.precision is not None and self.threshold is not None:
            raise UsageError("--precision and --threshold both choose the threshold: leave one out")
        for option, value in (("precision", self.precision), ("threshold", self.threshold)):
            if value is not None and not 0.0 < value < 1.0 and (option, value) != ("precision", 1.0):
                raise UsageError(f"--{option} {value}: a number between 0 and 1 is needed")
        if self.out is not None and self.out.exists():
            raise UsageError(f"--out {self.out}: is there already; a classifier is never written over")

    def _check_held_out(self, classifier: RewardClassifier, data: LabelledImages, names: Sequence[str]) -> None:
        """Raises CommandError for episodes that the classifier has learnt from."""
        from tenon.rewards.labelling import trained_on

        if classifier.trained_on is None:
            note(f"{self.classifier} does not say what it was trained on: see to it that {self.data} is no part of it")
        learnt = trained_on(classifier, data, names)
        if not learnt:
            return
        listed = ", ".join(f"{session} {episode}" for session, episode in learnt[:_LISTED])
        listed += f" and {len(learnt) - _LISTED} more" if len(learnt) > _LISTED else ""
        said = f"{self.classifier} was trained on {len(learnt)} of these episodes (session and number: {listed})"
        if not self.allow_trained_on:
            raise CommandError(
                f"{said}: figures on them are better than it is. Label others, or take these all the same: "
                f"--allow-trained-on"
            )
        note(f"{said}: it is worse than the figures say")

    def _labelled(self) -> tuple[LabelledImages, list[str]]:
        """The data, and which of its connectors count."""
        from tenon.cli.train_reward import load_pictures, names_of
        from tenon.data.domains import is_domain_folder, whole_episodes
        from tenon.data.labels import LabelStore, load_frames
        from tenon.rewards.labelling import labelled_frames

        if is_domain_folder(self.data):
            data = load_pictures(self.data)
            names = names_of(data, "held-out")
            if not names:
                raise UsageError(f"{self.data}: has no held-out connectors")
            return data, names
        episodes = whole_episodes(finished_episodes(self.data))
        store = LabelStore(episodes_folder(self.data))
        labelled = [(load_frames(episode), store.latest(episode)) for episode in episodes]
        pairs = [(frames, labels.success_of(len(frames))) for frames, labels in labelled if labels is not None]
        if not pairs:
            raise UsageError(f"{self.data}: none of its {len(episodes)} whole episodes is labelled: tenon label mark")
        name = self.data.resolve().name
        data = labelled_frames([frames for frames, _ in pairs], [s for _, s in pairs], name=name, series=name)
        return data, [name]
