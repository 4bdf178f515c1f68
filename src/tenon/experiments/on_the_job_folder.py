"""What the on-the-job experiments share: data of many connectors, and what is trained on them once.

::

    DATA/                    `tenon collect --out DATA`
    FOLDER/reward-VARIANT/   a reward classifier
    FOLDER/policy-VARIANT-seedN/
                             an offline training of ``iql_daib``, from which practice starts
    FOLDER/localiser/        of the baselines
    FOLDER/cost.json         CPU seconds that each of them took

What is missing is made by the run that asks first; others wait for it. A classifier or a localiser that is there
already (`tenon train daib --out FOLDER/reward-erm`) is taken as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tenon.algorithms.localise import Localiser, LocaliserConfig, train_localiser
from tenon.configuration import differences, load_yaml, parse
from tenon.configuration.resolve import ConfigKind, load_named, resolve
from tenon.data.checkpoint import MANIFEST
from tenon.data.domains import INDEX, LabelledImages, folder_lock, labelled_images, read_index, read_task
from tenon.data.mapped_array import write_beside
from tenon.experiments.experiment import ExperimentError
from tenon.rewards.daib import ClassifierConfig, RewardClassifier, train_classifier
from tenon.session.finetune import StartPoint, find_start
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

POLICY_CONFIG, REWARD_CONFIG = "iql_daib", "daib"
NO_DATA = (
    "{data}: holds no data of connectors. First: `tenon collect --out {data} --train-per-series 80 "
    "--episodes-per-connector 4`, then `tenon collect --out {data}` (make data does both)"
)
_COST = "cost.json"
_REWARD_SEED = _LOCALISER_SEED = 0


class JobFolder:
    """Raises ExperimentError where the data are missing, StorageError where they are damaged."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data = root, data
        if not (data / INDEX).is_file():
            raise ExperimentError(NO_DATA.format(data=data))

    def classifier(self, variant: str) -> RewardClassifier:
        """Of ``variant`` (daib, erm, ...), trained on the series to train on."""

        def make(place: Path) -> None:
            config = load_named(ClassifierConfig, ConfigKind.REWARDS, REWARD_CONFIG)
            chosen = config.model_copy(update={"variant": variant})
            train_classifier(self._pictures(), chosen, _REWARD_SEED).save(place)

        return RewardClassifier.load(self._made(f"reward-{variant}", make))

    def localiser(self) -> Localiser:
        """From the connectors to train on."""

        def make(place: Path) -> None:
            names = tuple(read_index(self.data).names("train"))
            train_localiser(self._pictures(), LocaliserConfig(), _LOCALISER_SEED, names=names).save(place)

        return Localiser.load(self._made("localiser", make))

    def policy(self, variant: str, seed: int, updates: int) -> StartPoint:
        """The end of an offline training whose policy has this bottleneck.

        Raises ExperimentError where it is there already, made with another configuration: practice takes that.
        """
        config = policy_config(variant, updates)

        def make(place: Path) -> None:
            spec = read_task(self.data)
            trainer = Trainer.open(config, spec, place, seed=seed, prior=self.data)
            try:
                trainer.train_offline()
            finally:
                trainer.close()

        start = find_start(self._made(f"policy-{variant}-seed{seed}", make))
        own = TrainerConfig(**start.trainer)
        if own != config:
            raise ExperimentError(
                f"{start.prior.parent}: was trained with another configuration than {POLICY_CONFIG} has now "
                f"({differences(own, config)}): remove it, or name another folder"
            )
        return start

    def _pictures(self) -> LabelledImages:
        return labelled_images(self.data)

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        """FOLDER/name, which ``make`` fills once: a checkpoint at once, or a training, done when its cost is noted."""
        place = self.root / name
        with folder_lock(self.root / f".{name}"):
            trained = Trainer.exists(place) and name in _costs(self.root)
            if not trained and not (place / MANIFEST).is_file():
                before_s = time.process_time()
                make(place)
                self._note(name, time.process_time() - before_s)
        return place

    def _note(self, name: str, cpu_s: float) -> None:
        with folder_lock(self.root / ".cost"):
            costs = {**_costs(self.root), name: round(cpu_s, 1)}
            write_beside(self.root / _COST, (json.dumps(costs, indent=1) + "\n").encode())


def policy_config(variant: str, updates: int) -> TrainerConfig:
    """config/algorithms/iql_daib.yaml with this bottleneck for the policy, and encoders that learn offline alone."""
    path = resolve(ConfigKind.ALGORITHMS, POLICY_CONFIG)
    data: dict[str, Any] = dict(load_yaml(path))
    changes = {"policy_variant": variant, "encoder_updates": updates, "cosine_updates": updates}
    algorithm = {**data["algorithm"], **changes}
    return parse(TrainerConfig, {**data, "offline_updates": updates, "algorithm": algorithm}, where=str(path))


def _costs(root: Path) -> dict[str, float]:
    path = root / _COST
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


__all__ = ["JobFolder", "policy_config"]
