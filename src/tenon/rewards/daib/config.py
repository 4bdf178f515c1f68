"""What a reward classifier is trained with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tenon.configuration import Config
from tenon.networks.augment import AugmentConfig
from tenon.networks.bottleneck import BottleneckConfig, Variant
from tenon.networks.collage import CollageConfig
from tenon.networks.warp import WarpConfig
from tenon.rewards.daib.hits import NEVER


class CalibrationConfig(Config):
    """How probabilities are made honest and p_on is chosen: on series that the network did not train on."""

    folds: int = Field(default=5, ge=2, description="parts that the series are dealt into; one is held out")
    false_positive_rate: float = Field(
        default=0.008,
        gt=0.0,
        lt=0.5,
        description="share of not inserted pictures that may be called a success; at most 0.05 in daib.md 2.5",
    )
    lowest_threshold: float = Field(
        default=0.35, gt=0.0, lt=1.0, description="of p_on; low, as the margin does most of the work"
    )
    margins: tuple[float, ...] = Field(
        default=(NEVER, 4.0, 3.0, 2.0, 1.75, 1.5, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.25),
        min_length=1,
        description="logits that a success may be below the typical one of its session's best, to choose from; ours",
    )


class ClassifierConfig(Config):
    """Sources: daib.md sections 2.7, 3 and 8.1."""

    bottleneck: BottleneckConfig = Field(
        default=BottleneckConfig(kernels_px=(7, 3, 3), strides_px=(3, 2, 2)),
        description="sizes and weights of DAIB; half the cost of the strides of daib.md, as good",
    )
    variant: Variant = Field(default="daib", description="what is left out of it; daib.md 6")
    augment: AugmentConfig = Field(default=AugmentConfig(), description="of pictures in training, where it sees these")
    warp: WarpConfig = Field(default=WarpConfig(), description="of plugs in training, where it sees these")
    sees: Literal["picture", "plug"] = Field(
        default="plug",
        description="picture: as it is, as in daib.md. plug: what of the plug is hidden, by pictures of it free; ours",
    )
    collage: CollageConfig = Field(default=CollageConfig(), description="of both in training")
    calibration: CalibrationConfig = Field(default=CalibrationConfig(), description="temperature and threshold")
    head_hidden_size: int = Field(default=64, ge=1, description="of R(z)")
    members: int = Field(default=1, ge=1, description="networks whose logits are averaged, each with a fold held out")
    steps: int = Field(default=1_000, ge=1, description="of the encoder; 4,000 in daib.md 8.1")
    batch_size: int = Field(default=64, ge=2, description="pictures; daib.md 8.1")
    learning_rate: float = Field(default=1e-3, gt=0.0, description="of Adam, at the start; falls to 0 by a cosine")
    balanced: bool = Field(
        default=True,
        description="as many inserted as not inserted pictures of each domain; else z_S learns base rates: daib.md 7",
    )

    @property
    def encoder(self) -> BottleneckConfig:
        """Of the variant."""
        return self.bottleneck.variant(self.variant)

    @model_validator(mode="after")
    def _check(self) -> ClassifierConfig:
        if self.batch_size % 2:
            raise ValueError(f"batch_size {self.batch_size}: an even number is needed, half of it inserted")
        if self.members > self.calibration.folds:
            raise ValueError(
                f"members {self.members}: each holds out a fold of its own, and there are {self.calibration.folds} "
                f"(calibration.folds)"
            )
        return self
