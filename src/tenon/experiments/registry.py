"""The experiments by name. A new one is one file here and one line in ``_KINDS``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from tenon.configuration import ConfigurationError
from tenon.experiments.awac_drawer import AWACDrawer
from tenon.experiments.awac_valve import AWACValve
from tenon.experiments.daib_classifier import DaibClassifier
from tenon.experiments.demos_her_pick import DemosHerPick
from tenon.experiments.demos_her_stack import DemosHerStack
from tenon.experiments.insertion_table import InsertionTable
from tenon.experiments.intervention import Intervention
from tenon.experiments.iql_maze import IQLMaze
from tenon.experiments.on_the_job import OnTheJobFar, OnTheJobNear
from tenon.experiments.on_the_job_ablation import DAIBAblation
from tenon.experiments.residual_bias import ResidualBias
from tenon.experiments.residual_blocks import ResidualBlocks
from tenon.experiments.runner import AnyExperiment

_KINDS: tuple[type[AnyExperiment], ...] = (
    ResidualBias,
    ResidualBlocks,
    InsertionTable,
    DemosHerPick,
    DemosHerStack,
    AWACDrawer,
    AWACValve,
    IQLMaze,
    DaibClassifier,
    OnTheJobNear,
    OnTheJobFar,
    DAIBAblation,
    Intervention,
)
EXPERIMENTS: Mapping[str, type[AnyExperiment]] = {kind.name: kind for kind in _KINDS}


def experiment_named(name: str) -> type[AnyExperiment]:
    """Raises ConfigurationError, with the names there are, for one that is not among them."""
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"experiment {name!r} is unknown. There are: {', '.join(EXPERIMENTS)}{hint}")
    return EXPERIMENTS[name]
