"""What the experiments of Nair et al. (2018) share: the ways to learn that they compare, as trainers.

Figures: demos-her.md, sections 3, 6 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, PositiveInt

from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.environments.fetch import FetchEnv
from tenon.experiments import episodes
from tenon.experiments.episodes import Episode
from tenon.experiments.practice import policy_chooser
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

OURS, HER, BC = "DDPG + HER + demonstrations", "DDPG + HER", "BC"
RESETS = "with resets to demonstrations"
FILTER, PLAIN = "with Q-filter", "plain cloning loss"
UNCLONED, UNRELABELLED = "without cloning loss", "without HER"
SCRIPT_STREAM = 5
_STEPS_PER_ROUND = 50
_TARGET_UPDATE_EVERY = 20
"""Updates; demos-her.md 8, once an episode of 20 updates."""
_CLONING = {HER: "off", UNCLONED: "off", PLAIN: "plain"}


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


def trainer_of(method: str, size: DemosHerSize) -> TrainerConfig:
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
    cloning = _CLONING.get(method, "filtered")
    demonstrated = 0 if method == HER else size.demonstrated
    batch_size = size.batch_size + demonstrated
    return TrainerConfig(
        method="ddpg_her",
        algorithm={**common, "target_update_every": _TARGET_UPDATE_EVERY, "cloning": cloning},
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


def evaluated(env: FetchEnv, trainer: Trainer, step: int, draws: int) -> Sequence[Episode]:
    """Episodes of the policy as it is, without exploration."""
    choose = policy_chooser(trainer, deterministic=True, step=max(step, 0))
    return episodes.roll_out(env, choose, episodes.evaluation_seeds(draws))
