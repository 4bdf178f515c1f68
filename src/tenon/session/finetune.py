"""Where practice starts: a checkpoint with the data and the configuration that it was trained with.

A training leaves ``trainer.json``, ``prior/`` and ``checkpoints/`` in a folder; practice on the robot goes on from
there with the same learner, and draws from the same prior data beside its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenon.configuration.base import ConfigurationError, differences, parse
from tenon.configuration.session import PracticeConfig
from tenon.data.checkpoint import MANIFEST, Checkpoint, CheckpointError, CheckpointFolder, load_checkpoint
from tenon.data.transitions import EnvironmentSpec
from tenon.session.practice import handed_over

TRAINING_FILE = "trainer.json"
_CHECKPOINTS, _PRIOR = "checkpoints", "prior"


@dataclass(frozen=True, slots=True)
class StartPoint:
    """A policy to practise with. trainer: the configuration it was trained with. prior: its data, a sealed replay."""

    checkpoint: Path
    prior: Path
    trainer: dict[str, Any]
    spec: EnvironmentSpec

    @property
    def method(self) -> str:
        return str(self.trainer["method"])

    def practice_trainer(self, practice: PracticeConfig) -> dict[str, Any]:
        """The same learner, on own and prior data, without offline updates: the checkpoint has them behind it."""
        return {
            **self.trainer,
            "offline_updates": 0,
            "compiled": False,  # a robot would wait for the compiler
            "warmup_transitions": practice.warmup_transitions,
            "updates_per_transition": practice.updates_per_transition,
            "sampling": {**self.trainer["sampling"], "prior_share": practice.prior_share},
        }


def find_start(place: Path) -> StartPoint:
    """The newest checkpoint of the training in ``place``, or ``place`` itself where that is a checkpoint.

    Of the run directory of a practice, it is what that has handed over.

    place: a training's folder, the folder of `tenon train` with one training in it, a session's run, or a checkpoint in
    one of these. Raises ConfigurationError that says what is missing.
    """
    if not place.is_dir():
        raise ConfigurationError(f"{place}: no such folder; that of a training or of a checkpoint is needed")
    training = _training_of(place)
    described = _described(training / TRAINING_FILE)
    prior = training / _PRIOR
    if not (prior / "replay.json").is_file():
        raise ConfigurationError(
            f"{training}: was trained without prior data, and practice draws most of each batch from them: train it "
            f"offline first (tenon train METHOD --data DATA)"
        )
    is_checkpoint = (place / MANIFEST).is_file()
    checkpoint = place.absolute() if is_checkpoint else handed_over(place.absolute()) or _newest(training)
    spec = parse(EnvironmentSpec, described["spec"], where=str(training / TRAINING_FILE))
    _check(checkpoint, described["config"], spec)
    return StartPoint(checkpoint, prior, described["config"], spec)


def check_fits(start: StartPoint, spec: EnvironmentSpec, *, task: str, method: str | None) -> None:
    """Raises ConfigurationError for a policy of another task, picture size or method than the session's.

    spec: of the session. method: the one that was asked for, None for whatever it is.
    """
    if method is not None and method != start.method:
        raise ConfigurationError(
            f"{start.checkpoint}: is a policy of {start.method!r}, {method!r} is asked for: leave the algorithm out, "
            f"or name a checkpoint of {method!r}"
        )
    seen, own = start.spec.observation.image, spec.observation.image
    if seen != own:
        theirs, ours = _picture(seen), _picture(own)
        raise ConfigurationError(
            f"{start.checkpoint}: was trained with {theirs}, the session gives {ours}: set observation and "
            f"observation_image to what it was trained with"
        )
    if start.spec != spec:
        raise ConfigurationError(
            f"{start.checkpoint}: is a policy of another task than {task!r}: {differences(start.spec, spec)}"
        )


def _picture(image: Any) -> str:
    return "no pictures" if image is None else f"pictures of {image.width} x {image.height} pixels"


def _training_of(place: Path) -> Path:
    """The folder with trainer.json that ``place`` means."""
    here = place.absolute()
    around = (here, here / "trainer", here.parent.parent, here.parent / "trainer")
    for folder in around:
        if (folder / TRAINING_FILE).is_file():
            return folder
    inside = sorted(file.parent for file in here.glob(f"work/*/trainer/{TRAINING_FILE}"))
    if len(inside) == 1:
        return inside[0]
    if inside:
        listed = ", ".join(str(folder) for folder in inside)
        raise ConfigurationError(f"{place}: holds {len(inside)} trainings, name one of them: {listed}")
    raise ConfigurationError(f"{place}: belongs to no training ({TRAINING_FILE} is missing): name a training's folder")


def _described(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_bytes())
        if not {"config", "spec"} <= described.keys():
            raise ValueError("config or spec is missing")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path}: is damaged: {error}. Restore it, or train anew") from error
    return dict(described)


def _newest(training: Path) -> Path:
    checkpoints = CheckpointFolder(training / _CHECKPOINTS)
    updates = checkpoints.updates()
    if not updates:
        raise ConfigurationError(f"{training}: holds no checkpoint yet: let it train first")
    return checkpoints.path(updates[-1])


def _check(checkpoint: Path, trainer: dict[str, Any], spec: EnvironmentSpec) -> None:
    try:
        stored = load_checkpoint(checkpoint, method=trainer["method"], spec=spec.model_dump(mode="json"))
    except CheckpointError as error:
        raise ConfigurationError(str(error)) from error
    _check_offline_phase(checkpoint, stored, trainer.get("offline_updates", 0))


def _check_offline_phase(checkpoint: Path, stored: Checkpoint, offline_updates: int) -> None:
    """Practice leaves the offline updates out, so they must be done."""
    done, learnt = stored.counters["updates"], stored.counters["learner_updates"]
    if done < offline_updates:
        raise ConfigurationError(
            f"{checkpoint}: was saved after {done} of {offline_updates} offline updates: let that training come to its "
            f"end (type the line that began it again), and start from there"
        )
    encoder_updates = stored.config.get("encoder_updates", 0)
    if learnt < encoder_updates:
        raise ConfigurationError(
            f"{checkpoint}: its encoders learn until update {encoder_updates}, {learnt} are done, and in practice they "
            f"would go on as if it were data: train it for as many updates, or anew with `tenon train` and --updates"
        )
