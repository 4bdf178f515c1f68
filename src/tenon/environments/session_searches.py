"""The scripted searches of a session: baselines for tasks in which a policy would act alone."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.algorithms.localise import Localiser
from tenon.configuration import ConfigurationError
from tenon.control.search import BASELINES
from tenon.data.checkpoint import CheckpointError
from tenon.environments.baselines import BaselinePolicy
from tenon.session.claw_stand import ClawStand
from tenon.session.setup import SessionSetup


def create_searches(setup: SessionSetup) -> Mapping[str, BaselinePolicy]:
    """By the name of the controller; none where the task has a hand-written controller.

    Raises ConfigurationError for a localiser that is missing, damaged or of another picture size.
    """
    if isinstance(setup.stand, ClawStand) or setup.task.residual.base is not None:
        return {}
    localiser = _localiser(setup)
    far = localiser is not None and bool(setup.goal_error_min_m)
    names = [name for name in BASELINES if name != "localise" or localiser is not None]
    authority_m = setup.task.residual.authority_m
    return {name: BaselinePolicy(name, authority_m, far=far, localiser=localiser) for name in names}


def _localiser(setup: SessionSetup) -> Localiser | None:
    folder, size = setup.config.localiser, setup.config.observation_image
    if folder is None:
        return None
    try:
        localiser = Localiser.load(folder)
    except CheckpointError as error:
        raise ConfigurationError(f"localiser {folder}: none that can be used: {error}") from error
    if (localiser.image.height, localiser.image.width) != (size.height, size.width):
        raise ConfigurationError(
            f"localiser {folder}: reads pictures of {localiser.image.width} x {localiser.image.height} pixels, session "
            f"{setup.config.name!r} takes {size.width} x {size.height}: set observation_image to the localiser's size"
        )
    return localiser
