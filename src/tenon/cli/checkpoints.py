"""A checkpoint's policy, for an evaluation that must not touch the run it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tenon.cli.console import note
from tenon.cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from tenon.configuration.session import ControllerName
    from tenon.training.snapshot import PolicySnapshot

TRAINER_FOLDER = Path("trainer", "checkpoints")
EXPLORATION = "exploration"
_DEPTH_IN_RUN = len(TRAINER_FOLDER.parts) + 1
"""Folders from a checkpoint up to its run."""
HANDED_OVER = "{place} is a practice: the policy that it handed over is taken, {policy}, not its last weights"


def newest_of(place: Path) -> Path:
    """The checkpoint in ``place``: itself, or the newest of a training, also of the folder that `tenon train` made.

    Of a practice's run directory, what it handed over. Raises UsageError for a training without, or for several.
    """
    from tenon.data.checkpoint import CheckpointFolder

    if (policy := _handed_over(place)) is not None:
        return policy
    if CheckpointFolder(place).updates():
        return _newest_in(place, remedy="train first")
    for folder in (place / "checkpoints", place / TRAINER_FOLDER):
        if folder.is_dir():
            return _newest_in(folder, remedy="train first")
    trainings = sorted((place / "work").glob(f"*/{TRAINER_FOLDER}"))
    if len(trainings) > 1:
        listed = ", ".join(str(folder.parents[1]) for folder in trainings)
        raise UsageError(f"{place} holds several trainings: name one of {listed}")
    return _newest_in(trainings[0], remedy="train first") if trainings else place


def newest_checkpoint(run_directory: Path) -> Path:
    """The newest checkpoint of a run; of a practice, what it handed over. Raises UsageError when it has none."""
    return _handed_over(run_directory) or _newest_in(
        run_directory / TRAINER_FOLDER, remedy="train first, or name a --checkpoint"
    )


def practised_as(place: Path) -> ControllerName | None:
    """The controller of the run that ``place``, a checkpoint or a folder of them, lies in; None where it is in none."""
    from tenon.cli.run_directory import SESSION_FILE
    from tenon.session.setup import load_setup

    inside = place.absolute()
    for folder in (inside, *inside.parents[:_DEPTH_IN_RUN]):
        if (folder / SESSION_FILE).is_file():
            return load_setup(folder / SESSION_FILE).config.controller
    return None


def _handed_over(run_directory: Path) -> Path | None:
    from tenon.session.practice import handed_over

    policy = handed_over(run_directory)
    if policy is not None:
        note(HANDED_OVER.format(place=run_directory, policy=policy))
    return policy


def _newest_in(folder: Path, *, remedy: str) -> Path:
    from tenon.data.checkpoint import CheckpointFolder

    checkpoints = CheckpointFolder(folder)
    updates = checkpoints.updates()
    if not updates:
        raise UsageError(f"{folder} holds no checkpoint: {remedy}")
    return checkpoints.path(updates[-1])


def policy_of(checkpoint: Path) -> PolicySnapshot:
    """The policy of a checkpoint.

    Raises UsageError for a missing one and for one of what is no policy, CommandError for one that cannot be used.
    """
    from tenon.algorithms import METHODS, LearnerState, StateError, create
    from tenon.configuration import parse
    from tenon.data.checkpoint import CheckpointError, load_checkpoint
    from tenon.data.transitions import EnvironmentSpec
    from tenon.training.snapshot import take_snapshot

    if not checkpoint.is_dir():
        raise UsageError(f"{checkpoint}: no such checkpoint; a directory with manifest.json is needed")
    try:
        stored = load_checkpoint(checkpoint)
        if stored.method not in METHODS:
            raise UsageError(
                f"{checkpoint}: is a checkpoint of {stored.method!r}, which is no policy: name one of a training with "
                f"{', '.join(sorted(METHODS))}"
            )
        seed = stored.counters["seed"]
        spec = parse(EnvironmentSpec, stored.spec, where=f"{checkpoint}: spec")
        learner = create(stored.method, stored.config, spec, seed)
        learner.load_state(
            LearnerState(
                method=stored.method,
                config=stored.config,
                spec=stored.spec,
                seed=seed,
                updates=stored.counters["learner_updates"],
                optimizer_steps=stored.values["optimizer_steps"],
                tensors=stored.tensors,
                exploration=stored.numpy_generators[EXPLORATION],
            )
        )
    except (CheckpointError, StateError) as error:
        raise CommandError(str(error)) from error
    return take_snapshot(learner)
