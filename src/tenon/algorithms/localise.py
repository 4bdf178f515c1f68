"""Where the socket is, from one picture: a regression on recorded pictures whose places are known.

The baseline ``localise`` of on-the-job learning (Nair et al., 2023; daib.md section 5). It is no method of the
registry: it has no actions and no rewards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from tenon.configuration import Config
from tenon.data.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tenon.data.domains import LabelledImages
from tenon.data.mapped_array import StorageError
from tenon.data.transitions import ImageArray, ImageSpec
from tenon.networks.augment import AugmentConfig, augmented
from tenon.networks.encoders import ConvolutionStack, EncoderConfig
from tenon.networks.mlp import MLP
from tenon.networks.parameters import Adam, ParameterVector

NAME = "localise"
_UNIT_M = 0.01
"""Networks work with places in this unit."""
_BATCH_AT_EVALUATION = 512


class LocaliserConfig(Config):
    """Numbers without a source are ours."""

    encoder: EncoderConfig = Field(
        default=EncoderConfig(image="conv", channels=(16, 32, 64), strides=(2, 2, 2), embedding_size=128),
        description="convolutions as in daib.md section 3",
    )
    hidden_size: int = Field(default=128, ge=1)
    # A shift would move the socket: only colours may change.
    augment: AugmentConfig = Field(default=AugmentConfig(shift_px=0), description="of training pictures; daib.md 2.7")
    learning_rate: float = Field(default=1e-3, gt=0.0, description="Adam; daib.md section 3, of the classifier")
    batch_size: int = Field(default=128, ge=1)
    updates: int = Field(default=2000, ge=1)
    least_height_m: float = Field(
        default=0.012,
        description="pictures in which the tip is less high above its seated place are left out: in or at the socket, "
        "where nearly all are, they would teach that the answer is zero",
    )


@dataclass(frozen=True, slots=True)
class LocalisationError:
    """Distance between the place told and the true one, sideways. pictures: how many were looked at."""

    mean_mm: float
    median_mm: float
    within_1_mm: float
    pictures: int


class Localiser:
    """Tells from a picture how far the TCP is from the socket's axis, sideways."""

    def __init__(self, image: ImageSpec, config: LocaliserConfig) -> None:
        self.image, self.config = image, config
        self.network = nn.Sequential(
            ConvolutionStack(image, config.encoder),
            MLP(config.encoder.embedding_size, (config.hidden_size,), 2),
        )

    @torch.no_grad()
    def offsets_m(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, height, width, channels) -> (N, 2): of the TCP from the socket's axis, in axes of the base."""
        parts = [
            self.network(torch.from_numpy(np.array(images[start : start + _BATCH_AT_EVALUATION])))
            for start in range(0, len(images), _BATCH_AT_EVALUATION)
        ]
        offsets: NDArray[np.float64] = _UNIT_M * torch.cat(parts).numpy().astype(np.float64)
        return offsets

    def offset_m(self, image: ImageArray) -> NDArray[np.float64]:
        """(2,): of one picture."""
        offset: NDArray[np.float64] = self.offsets_m(image[None])[0]
        return offset

    def save(self, folder: Path) -> None:
        """Writes it as ``folder``, which must not exist. Raises CheckpointError."""
        tensors = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        config, spec = self.config.model_dump(mode="json"), self.image.model_dump(mode="json")
        save_checkpoint(folder, Checkpoint(NAME, config, spec, counters={}, tensors=tensors))

    @classmethod
    def load(cls, folder: Path) -> Localiser:
        """Raises DamagedCheckpointError or OtherCheckpointError."""
        stored = load_checkpoint(folder, method=NAME)
        localiser = cls(ImageSpec.model_validate(stored.spec), LocaliserConfig.model_validate(stored.config))
        localiser.network.load_state_dict(stored.tensors)
        return localiser


def train_localiser(
    data: LabelledImages,
    config: LocaliserConfig,
    seed: int,
    *,
    names: tuple[str, ...] | None = None,
    on_update: Callable[[int, float], None] | None = None,
) -> Localiser:
    """names: of the domains to learn from, None for all. on_update: told the updates done and the loss (cm^2).

    Raises StorageError where no picture's place is known.
    """
    rows = usable_rows(data, config, names)
    generator, sampler = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    height, width, channels = data.image.shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        localiser = Localiser(ImageSpec(height=height, width=width, channels=channels), config)
    vector = ParameterVector(localiser.network)
    optimizer = Adam(vector, config.learning_rate)
    for update in range(config.updates):
        chosen = np.sort(sampler.choice(rows, config.batch_size))
        images = augmented(torch.from_numpy(data.image[chosen]), config.augment, generator)
        loss = place_loss(localiser.network(images), torch.from_numpy(data.offset_m[chosen, :2]))
        vector.zero_gradients()
        torch.autograd.backward(loss)
        # Linear decay to zero: the last steps average the noise of the batches out.
        optimizer.learning_rate = config.learning_rate * (1.0 - update / config.updates)
        optimizer.step()
        if on_update is not None:
            on_update(update + 1, float(loss.detach()))
    return localiser


def place_loss(told: Tensor, offset_m: Tensor) -> Tensor:
    """Mean squared distance per axis, in the networks' unit (cm^2). told (batch, 2); offset_m (batch, 2) in metres."""
    return functional.mse_loss(told, offset_m / _UNIT_M)


def usable_rows(
    data: LabelledImages, config: LocaliserConfig, names: tuple[str, ...] | None = None
) -> NDArray[np.int64]:
    """Pictures from above the socket whose place is known. Raises StorageError where there are none."""
    known = np.isfinite(data.offset_m).all(axis=1) & (data.offset_m[:, 2] >= config.least_height_m)
    rows = np.flatnonzero(known) if names is None else np.intersect1d(np.flatnonzero(known), data.rows(names))
    if not rows.size:
        raise StorageError(
            "no picture tells where the socket is: record /session/episode with the goal's error, as `tenon collect` "
            "does"
        )
    return rows


def localisation_error(localiser: Localiser, data: LabelledImages, rows: NDArray[np.int64]) -> LocalisationError:
    """Over these pictures."""
    told = localiser.offsets_m(data.image[rows])
    distance_mm = 1000.0 * np.linalg.norm(told - data.offset_m[rows, :2], axis=1)
    return LocalisationError(
        mean_mm=float(distance_mm.mean()),
        median_mm=float(np.median(distance_mm)),
        within_1_mm=float(np.mean(distance_mm < 1.0)),
        pictures=len(rows),
    )
