"""A trained reward classifier as a whole: networks, calibration, version, and its folder on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from tenon.algorithms.randomness import derived_seed
from tenon.configuration import ConfigurationError, parse
from tenon.data.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    OtherCheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from tenon.data.domains import LabelledImages, Recording
from tenon.data.transitions import ImageSpec
from tenon.rewards.base import RewardError
from tenon.rewards.daib.calibration import Calibration, calibrate
from tenon.rewards.daib.config import ClassifierConfig
from tenon.rewards.daib.free_plug import FreePlug, free_plug_of, knows_plug
from tenon.rewards.daib.network import RewardNetwork
from tenon.rewards.daib.training import TrainedNetwork, TrainingMetrics, image_spec, train_network

METHOD = "reward-classifier"
_VERSION_DIGITS = 16
_BATCH = 256

OnMetrics = Callable[[int, TrainingMetrics], None]
"""Called with the number of the network and how its training goes."""


@dataclass(frozen=True, slots=True, eq=False)
class RewardClassifier:
    """Judges pictures by the mean logit of its networks; all its content is fixed.

    trained_on: recordings of the pictures that the networks learnt from; None where that is not known.
    """

    networks: tuple[RewardNetwork, ...]
    config: ClassifierConfig
    image: ImageSpec
    calibration: Calibration
    trained_on: frozenset[Recording] | None = None

    @property
    def version(self) -> str:
        """Of what it says: the same weights, configuration and calibration have the same one, anywhere."""
        about = {"config": self.config.model_dump(mode="json"), "calibration": asdict(self.calibration)}
        digest = hashlib.sha256(safetensors.torch.save(self._tensors()))
        digest.update(json.dumps(about, sort_keys=True).encode())
        return digest.hexdigest()[:_VERSION_DIGITS]

    def logits(self, images: NDArray[np.uint8], free: FreePlug) -> NDArray[np.float32]:
        """(N,) of pictures (N, height, width, channels) of uint8. free: how their plug looks while it is free.

        Raises RewardError for pictures of another size.
        """
        for shape, dtype in ((images.shape[1:], images.dtype), (free.picture.shape, free.picture.dtype)):
            if shape != self.image.shape or dtype != np.uint8:
                raise RewardError(
                    f"pictures are {shape} of {dtype}, this classifier judges {self.image.shape} of uint8: take the "
                    f"camera and the size that it was trained with"
                )
        return mean_logits(self.networks, images, free if self.config.sees == "plug" else None)

    def logits_of(self, data: LabelledImages, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N,) of the pictures ``rows`` of ``data``, as a session would judge them after a few episodes."""
        return logits_of(self.networks, self.config, data, rows)

    def save(self, folder: Path) -> None:
        """Writes ``folder``, which must not exist. Raises CheckpointError, leaving nothing."""
        trained_on = None if self.trained_on is None else _by_session(self.trained_on)
        values = {"version": self.version, "calibration": asdict(self.calibration), "trained_on": trained_on}
        config, spec = self.config.model_dump(mode="json"), self.image.model_dump(mode="json")
        save_checkpoint(folder, Checkpoint(METHOD, config, spec, {}, self._tensors(), values))

    @classmethod
    def load(cls, folder: Path) -> RewardClassifier:
        """Raises CheckpointError for a folder that is damaged or holds something else."""
        stored = load_checkpoint(folder, method=METHOD)
        config = parse(ClassifierConfig, stored.config, where=str(folder))
        image = parse(ImageSpec, stored.spec, where=str(folder))
        classifier = cls(
            tuple(_network(stored, f"{number}.", image, config) for number in range(config.members)),
            config,
            image,
            _calibration(stored.values["calibration"]),
            _recordings(stored.values.get("trained_on")),
        )
        if classifier.version != stored.values["version"]:
            raise DamagedCheckpointError(f"{folder}: its content is not that of version {stored.values['version']}")
        return classifier

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            f"{number}.{name}": tensor.contiguous()
            for number, network in enumerate(self.networks)
            for name, tensor in network.state_dict().items()
        }


def train_classifier(
    data: LabelledImages,
    config: ClassifierConfig,
    seed: int,
    *,
    names: Sequence[str] | None = None,
    only: NDArray[np.int64] | None = None,
    on_metrics: OnMetrics = lambda network, metrics: None,
) -> RewardClassifier:
    """Trains and calibrates on the domains ``names`` (None: those of the split "train").

    Network number k does not see fold k of their series; the calibration sees nothing else, of that the domains with
    as many episodes as a session learns a plug from, where there are any: thresholds of others are of worse plugs.
    only: pictures to train on, where not all. Raises ConfigurationError.
    """
    if names is None:
        names = [name for name, split in zip(data.names, data.splits, strict=True) if split == "train"]
    folds = deal_series(data, names, config.calibration.folds, seed)
    if len(folds) < config.members:
        raise ConfigurationError(f"{len(folds)} series give {len(folds)} folds: members {config.members} is too many")
    trained, rows, logits = [], [], []
    for number, fold in enumerate(folds[: config.members]):
        seen = [name for name in names if name not in fold]
        derived = derived_seed(seed, "reward network", number)
        member = train_network(data, seen, config, derived, _of(on_metrics, number), only)
        held_out = data.rows(_like_sessions(data, fold, config))
        trained.append(member)
        rows.append(held_out)
        logits.append(logits_of((member.network,), config, data, held_out))
    order = np.argsort(np.concatenate(rows))
    calibration = calibrate(np.concatenate(logits)[order], data, np.concatenate(rows)[order], config.calibration)
    seen_rows = data.rows([name for member in trained for name in member.domains])
    trained_on = data.recordings_of(seen_rows if only is None else np.intersect1d(seen_rows, only))
    networks = tuple(member.network for member in trained)
    return RewardClassifier(networks, config, image_spec(data), calibration, trained_on or None)


def _like_sessions(data: LabelledImages, fold: Sequence[str], config: ClassifierConfig) -> Sequence[str]:
    if config.sees == "picture":
        return fold
    return [name for name in fold if knows_plug(data, name)] or fold


def deal_series(data: LabelledImages, names: Sequence[str], folds: int, seed: int) -> list[list[str]]:
    """The domains ``names`` in at most ``folds`` parts of whole series, dealt at random.

    Raises ConfigurationError where there are fewer than two series: near-duplicates would be held out.
    """
    of = dict(zip(data.names, data.series, strict=True))
    series = sorted({of[name] for name in names})
    if len(series) < 2:
        raise ConfigurationError(
            f"the data are of {len(series)} series of connectors: one is held out to choose the threshold by, so two "
            f"or more are needed"
        )
    dealt = np.random.default_rng(derived_seed(seed, "reward folds", 0)).permutation(series).tolist()
    parts = min(folds, len(series))
    return [[name for name in names if of[name] in dealt[part::parts]] for part in range(parts)]


def logits_of(
    networks: Sequence[RewardNetwork], config: ClassifierConfig, data: LabelledImages, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(N,) of the pictures ``rows`` over ``networks``."""
    out = np.empty(len(rows), np.float32)
    for domain in np.unique(data.domain[rows]):
        own = np.flatnonzero(data.domain[rows] == domain)
        free = None if config.sees == "picture" else free_plug_of(data, data.names[domain])
        out[own] = mean_logits(networks, data.image[rows[own]], free)
    return out


def mean_logits(
    networks: Sequence[RewardNetwork], images: NDArray[np.uint8], free: FreePlug | None
) -> NDArray[np.float32]:
    """(N,) over ``networks``. images: (N, height, width, channels). free: None where only pictures are seen."""
    out = np.empty(len(images), np.float32)
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            seen = torch.from_numpy(np.array(part) if free is None else free.maps(part))
            out[start : start + _BATCH] = torch.stack([network(seen) for network in networks]).mean(dim=0).numpy()
    return out


def _of(on_metrics: OnMetrics, number: int) -> Callable[[TrainingMetrics], None]:
    return lambda metrics: on_metrics(number, metrics)


def _network(stored: Checkpoint, prefix: str, image: ImageSpec, config: ClassifierConfig) -> RewardNetwork:
    network = RewardNetwork(image, config).eval().requires_grad_(False)
    own = {name.removeprefix(prefix): t for name, t in stored.tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise OtherCheckpointError(f"its networks are of other sizes than this version's: {error}") from error
    return network


def _by_session(recordings: frozenset[Recording]) -> dict[str, list[int]]:
    sessions: dict[str, list[int]] = {}
    for session, episode in sorted(recordings):
        sessions.setdefault(session, []).append(episode)
    return sessions


def _recordings(sessions: dict[str, list[int]] | None) -> frozenset[Recording] | None:
    """None for a classifier of an earlier version, which did not note them."""
    if sessions is None:
        return None
    return frozenset(Recording(session, episode) for session, episodes in sessions.items() for episode in episodes)


def _calibration(values: dict[str, Any]) -> Calibration:
    if values.keys() != {field.name for field in fields(Calibration)}:
        raise OtherCheckpointError(
            "it was calibrated for another rule of success, by an earlier version: train it anew (tenon train daib)"
        )
    return Calibration(**{**values, "series": tuple(values["series"])})


__all__ = ["METHOD", "RewardClassifier", "TrainedNetwork", "deal_series", "mean_logits", "train_classifier"]
