"""What the experiments of Nair et al. (2018) share: the ways to learn that they compare, as trainers.

Figures: demos-her.md, sections 3, 6 and 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PositiveInt

from tenon.algorithms.losses import Cloning
from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.training.config import TrainerConfig

Method = Literal[
    "DDPG + HER + demonstrations",
    "with resets to demonstrations",
    "DDPG + HER",
    "BC",
    "with Q-filter",
    "plain cloning loss",
    "without cloning loss",
    "without HER",
]
OURS: Method = "DDPG + HER + demonstrations"
RESETS: Method = "with resets to demonstrations"
HER: Method = "DDPG + HER"
BC: Method = "BC"
FILTER: Method = "with Q-filter"
PLAIN: Method = "plain cloning loss"
UNCLONED: Method = "without cloning loss"
UNRELABELLED: Method = "without HER"
_STEPS_PER_ROUND = 50
_CLONING: Mapping[Method, Cloning] = {
    OURS: "filtered",
    RESETS: "filtered",
    FILTER: "filtered",
    UNRELABELLED: "filtered",
    PLAIN: "plain",
    HER: "off",
    UNCLONED: "off",
}
_MINUTES_PER_PRACTISED_ROW, _MINUTES_PER_CLONED_ROW = 1.1e-6, 2e-7
_MINUTES_PER_DRAW = 2e-3


class DemosHerSize(Config):
    """How much is done."""

    steps: PositiveInt = Field(default=15_000, description="of practice; demos-her.md 8")
    cloning_updates: PositiveInt = Field(default=20_000, description="of BC; demos-her.md 8")
    evaluate_every: PositiveInt = Field(default=5_000, description="steps, or updates of BC, between evaluations")
    draws: PositiveInt = Field(default=250, description="evaluation episodes: more than 100 of them have in-air goals")
    draws_on_the_way: PositiveInt = Field(default=40, description="evaluation episodes for the curve; demos-her.md 8")
    demonstrations: PositiveInt = Field(default=100, description="by script; demos-her.md 8")
    batch_size: PositiveInt = Field(default=256, description="N; demos-her.md 8")
    demonstrated: PositiveInt = Field(default=64, description="N_D, in each batch beside N; demos-her.md 8")
    updates_per_50_steps: PositiveInt = Field(
        default=40, description="twice demos-her.md 8: with 20, bad demonstrations are not outgrown within the steps"
    )
    target_update_every: PositiveInt = Field(
        default=20, description="updates; demos-her.md 8, once an episode of 20 updates"
    )


def paper_batches() -> dict[str, int]:
    """What the sizes of the paper have in common, demos-her.md section 3; the updates of BC are ours."""
    return {"batch_size": 1_024, "demonstrated": 128, "target_update_every": 40, "cloning_updates": 200_000}


def minutes(method: Method, size: DemosHerSize, *, rounds: int = 1) -> float:
    """Expected cost of one run. rounds: how many times 50 steps an episode lasts."""
    rows = size.batch_size + (0 if method in (BC, HER) else size.demonstrated)
    if method == BC:
        learning = size.cloning_updates * rows * _MINUTES_PER_CLONED_ROW
    else:
        updates = size.steps * size.updates_per_50_steps / _STEPS_PER_ROUND
        learning = updates * rows * _MINUTES_PER_PRACTISED_ROW
    return learning + size.draws * rounds * _MINUTES_PER_DRAW


def trainer_of(method: Method, size: DemosHerSize) -> TrainerConfig:
    """The trainer of one of the names above; all but BC practise."""
    common: dict[str, Any] = {"hidden_sizes": (256, 256, 256)}
    if method == BC:
        encoder = {"standardize_state": True}
        return TrainerConfig(
            method="bc",
            algorithm={**common, "policy": "deterministic", "actor_learning_rate": 1e-3, "encoder": encoder},
            batch_size=size.batch_size,
            offline_updates=size.cloning_updates,
            checkpoint_every_updates=size.evaluate_every,
        )
    demonstrated = 0 if method == HER else size.demonstrated
    batch_size = size.batch_size + demonstrated
    return TrainerConfig(
        method="ddpg_her",
        algorithm={**common, "target_update_every": size.target_update_every, "cloning": _CLONING[method]},
        batch_size=batch_size,
        warmup_transitions=_STEPS_PER_ROUND,
        updates_per_transition=size.updates_per_50_steps / _STEPS_PER_ROUND,
        sampling=SamplingConfig(
            relabel=None if method == UNRELABELLED else RelabelConfig(),
            prior_share=demonstrated / batch_size if demonstrated else None,
        ),
        replay=ReplayConfig(capacity=max(size.steps, batch_size)),
        checkpoint_every_updates=1_000,
    )
