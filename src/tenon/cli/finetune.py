"""What `--finetune` makes of a session: policy, data and configuration of the training that practice goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenon.cli.checkpoints import HANDED_OVER
from tenon.cli.console import note
from tenon.cli.errors import CommandError
from tenon.cli.run_directory import ALGORITHM_FILE

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup


def finetuned(session: str, wanted: Mapping[str, Any], place: Path, *, target: float | None) -> SessionSetup:
    """The session's setup with the start point in it. Writes nothing. Raises ConfigurationError.

    wanted: what was typed, which comes before what the session says. target: of practice, where it was typed.
    """
    from tenon.configuration.base import parse
    from tenon.configuration.session import PracticeConfig
    from tenon.session.finetune import check_fits, find_start
    from tenon.session.practice import handed_over
    from tenon.session.setup import load_setup, with_algorithm

    start = find_start(place)
    if handed_over(place) is not None:
        note(HANDED_OVER.format(place=place, policy=start.checkpoint))
    given = {
        **wanted,
        "initial_checkpoint": start.checkpoint,
        "prior_data": start.prior,
        "controller": wanted.get("controller", "policy"),
    }
    setup = load_setup(session, given)
    check_fits(start, setup.environment_spec, task=setup.config.task, method=method_asked_for(setup, wanted))
    said = setup.config.practice or PracticeConfig()
    changes = {} if target is None else {"target": target}
    practice = parse(PracticeConfig, {**said.model_dump(), **changes}, where="--target")
    config = setup.config.model_copy(
        update={"practice": practice, "algorithm": str(setup.run_directory / ALGORITHM_FILE)}
    )
    return with_algorithm(setup, config, start.practice_trainer(practice))


def method_asked_for(setup: SessionSetup, wanted: Mapping[str, Any]) -> str | None:
    """Of the algorithm that was typed; None where none was: the checkpoint says then what it is."""
    return str(setup.algorithm.get("method")) if "algorithm" in wanted else None


def prepare_training(setup: SessionSetup) -> None:
    """Makes the trainer's folder, so that what does not fit is refused before anything moves."""
    from tenon.algorithms.base import StateError
    from tenon.data.checkpoint import CheckpointError
    from tenon.data.mapped_array import StorageError
    from tenon.data.transitions import TransitionError
    from tenon.training.config import TrainerConfig
    from tenon.training.trainer import Trainer, TrainerError

    config = setup.config
    if Trainer.exists(setup.trainer_directory):
        return
    note(f"practice starts from {config.initial_checkpoint}")
    try:
        trainer = Trainer.create(
            TrainerConfig.model_validate(dict(setup.algorithm)),
            setup.environment_spec,
            setup.trainer_directory,
            seed=config.seed,
            prior=config.prior_data,
            initial=config.initial_checkpoint,
        )
    except (CheckpointError, StateError, StorageError, TrainerError, TransitionError) as error:
        raise CommandError(str(error)) from error
    note(f"{0 if trainer.prior is None else trainer.prior.transitions} transitions of prior data are copied")
    trainer.close()
