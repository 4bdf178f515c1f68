"""The domain-adversarial information bottleneck (Nair et al., 2023): eq. (52) to (54) of daib.md.

An image becomes ``z = (z_I, z_S)``: z_I must not tell the domain (connector) it comes from, z_S may, but each nat that
it carries costs. The baselines are the same network with a part or a weight at zero: see ``VARIANTS``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from tenon.configuration import Config, ConfigurationError
from tenon.data.transitions import ImageSpec
from tenon.networks.mlp import MLP
from tenon.networks.parameters import Adam, ParameterVector, frozen_view

_WHITE = 255.0
# Of log s: wide enough never to matter, and its middle, where training begins, lets a signal through.
_LOG_STD_LOW, _LOG_STD_HIGH = -5.0, 1.0
_POINT_FEATURES, _NORM_GROUPS, _SHARPNESS = 3, 4, 4.0


class BottleneckConfig(Config):
    """Sizes and weights of a split representation. Sources: daib.md section 3 and 8.1."""

    invariant_size: int = Field(default=64, ge=0, description="of z_I; 0: there is none, as in VIB")
    specific_size: int = Field(default=16, ge=0, description="of z_S; 0: there is none, as in DANN and ERM")
    channels: tuple[int, ...] = Field(default=(16, 32, 64), min_length=1, description="of the convolutions of z_I")
    specific_channels: tuple[int, ...] = Field(
        default=(8, 16, 32), min_length=1, description="of the convolutions of z_S; half: it is limited anyhow"
    )
    kernels_px: tuple[int, ...] = Field(default=(5, 3, 3), description="of the convolutions")
    strides_px: tuple[int, ...] = Field(default=(2, 2, 2), description="of the convolutions")
    pooling: Literal["flat", "points"] = Field(
        default="flat",
        description="of the last convolution. flat: as it is. points: where each channel is brightest, which says the "
        "same of a thing wherever it stands in the picture; spatial softmax (Levine et al., 2016)",
    )
    dense_size: int = Field(default=128, ge=1, description="of the layer behind the convolutions")
    adversarial_weight: float = Field(default=1.0, ge=0.0, description="a_adv at the end of its ramp; 0: none")
    adversarial_steepness: float = Field(default=10.0, gt=0.0, description="of the ramp; DANN (Ganin et al., 2016)")
    kl_weight: float = Field(default=3e-4, ge=0.0, description="beta_KL after its warm-up, per nat; 0: z_S is free")
    kl_warmup_from: float = Field(default=0.25, ge=0.0, le=1.0, description="share of training where it begins")
    kl_warmup_to: float = Field(default=0.75, ge=0.0, le=1.0, description="share of training where it is over")
    domain_hidden_size: int = Field(default=64, ge=1, description="of the head that guesses the domain")
    domain_updates: int = Field(default=2, ge=1, description="steps of that head per step of the encoder")
    domain_learning_rate: float = Field(default=1e-3, gt=0.0, description="of that head; Adam")

    @model_validator(mode="after")
    def _check(self) -> BottleneckConfig:
        layers = {len(x) for x in (self.channels, self.specific_channels, self.kernels_px, self.strides_px)}
        if len(layers) != 1:
            raise ValueError(
                f"channels {self.channels}, specific_channels {self.specific_channels}, kernels_px {self.kernels_px} "
                f"and strides_px {self.strides_px} must have one entry per convolution each"
            )
        if min(*self.channels, *self.specific_channels, *self.kernels_px, *self.strides_px) < 1:
            raise ValueError("channels, kernels_px and strides_px must be positive")
        if self.invariant_size + self.specific_size == 0:
            raise ValueError("invariant_size and specific_size are both 0: there would be no features")
        if self.adversarial_weight and not self.invariant_size:
            raise ValueError("adversarial_weight acts on z_I, and invariant_size is 0: set adversarial_weight: 0")
        if self.kl_warmup_from > self.kl_warmup_to:
            raise ValueError(f"the warm-up ends ({self.kl_warmup_to}) before it begins ({self.kl_warmup_from})")
        return self

    @property
    def feature_size(self) -> int:
        return self.invariant_size + self.specific_size

    @property
    def adversarial(self) -> bool:
        """Whether z_I is trained against the domain head."""
        return self.adversarial_weight > 0.0

    def variant(self, name: str) -> BottleneckConfig:
        """This configuration as ``name`` of VARIANTS. Raises ConfigurationError for another name."""
        if name not in VARIANTS:
            raise ConfigurationError(f"variant {name!r} is unknown. There are: {', '.join(VARIANTS)}")
        changes = dict(VARIANTS[name])
        if name == "vib":
            # The same number of features and the same convolutions, all of them behind the bottleneck.
            changes |= {"specific_size": self.feature_size, "specific_channels": self.channels}
        return BottleneckConfig(**{**self.model_dump(), **changes})


Variant = Literal["daib", "no-kl", "dann", "vib", "erm"]
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "daib": {},
    "no-kl": {"kl_weight": 0.0},
    "dann": {"specific_size": 0},
    "vib": {"invariant_size": 0, "adversarial_weight": 0.0},
    "erm": {"specific_size": 0, "adversarial_weight": 0.0},
}
"""What each method changes in a DAIB configuration; daib.md section 6. ``no-kl`` is DAIB with lambda = 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Bottleneck:
    """invariant: z_I (batch, I). specific: z_S (batch, S), sampled, or the mean. mean, log_std: of z_S, in nats."""

    invariant: Tensor
    specific: Tensor
    mean: Tensor
    log_std: Tensor

    @property
    def features(self) -> Tensor:
        """z, (batch, I + S)."""
        return torch.cat((self.invariant, self.specific), dim=1)


class BottleneckEncoder(nn.Module):
    """z_I = LayerNorm(g_I(x)), z_S = m + s eps with (m, log s) = g_S(x): daib.md 2.2, two encoders side by side."""

    def __init__(self, image: ImageSpec, config: BottleneckConfig):
        super().__init__()
        self.config = config
        self.invariant: _Tower | None = None
        self.specific: _Tower | None = None
        if config.invariant_size:
            self.invariant = _Tower(image, config, config.channels, config.invariant_size)
            # Without it the adversarial loss grows with the scale of z_I: daib.md, pitfall 1.
            self.normalise = nn.LayerNorm(config.invariant_size)
        if config.specific_size:
            self.specific = _Tower(image, config, config.specific_channels, 2 * config.specific_size)

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Bottleneck:
        """image: (batch, height, width, channels), uint8 or float in [0, 255]. noise: eps (batch, S); None: z_S = m."""
        pixels = image.permute(0, 3, 1, 2).sub(0.5 * _WHITE).mul_(1.0 / _WHITE)
        empty = pixels.new_empty(len(image), 0)
        invariant = empty if self.invariant is None else self.normalise(self.invariant(pixels))
        if self.specific is None:
            return Bottleneck(invariant, empty, empty, empty)
        mean, raw = self.specific(pixels).chunk(2, dim=1)
        log_std = _LOG_STD_LOW + (_LOG_STD_HIGH - _LOG_STD_LOW) * torch.sigmoid(raw)
        specific = mean if noise is None else mean + log_std.exp() * noise
        return Bottleneck(invariant, specific, mean, log_std)

    def features(self, image: Tensor) -> Tensor:
        """(z_I, mean of z_S), (batch, I + S): what heads read when nothing is sampled."""
        features: Tensor = self(image).features
        return features


class _Tower(nn.Module):
    """Convolutions with ReLU, a dense layer with ReLU, a linear layer. Memory stays channels last."""

    def __init__(self, image: ImageSpec, config: BottleneckConfig, channels: Sequence[int], outputs: int):
        super().__init__()
        sizes = itertools.pairwise((image.channels, *channels))
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride=stride)
            for (a, b), kernel, stride in zip(sizes, config.kernels_px, config.strides_px, strict=True)
        )
        height, width = (_convolved(size, config, image) for size in (image.height, image.width))
        self.points: _Points | None = None
        features = height * width * channels[-1]
        if config.pooling == "points":
            self.points = _Points(channels, height, width)
            features = _POINT_FEATURES * channels[-1]
        self.dense = MLP(features, (config.dense_size,), outputs)

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.dense(self.features(pixels))
        return out

    def features(self, pixels: Tensor) -> Tensor:
        """What the dense layers read of pixels (batch, channels, height, width), (batch, features)."""
        hidden = pixels
        if self.points is None:
            for layer in self.layers:
                hidden = layer(hidden).relu_()
            return hidden.permute(0, 2, 3, 1).flatten(start_dim=1)
        *below, last = zip(self.layers, self.points.normalise, strict=True)
        for layer, normalise in below:
            hidden = normalise(layer(hidden)).relu_()
        layer, normalise = last
        points: Tensor = self.points(normalise(layer(hidden)))
        return points


class _Points(nn.Module):
    """Where each channel is brightest, in [-1, 1] along both edges, and how bright it is there.

    (batch, channels, height, width) -> (batch, 3 * channels). normalise: of the convolutions, all of them. Without it a
    channel takes thousands of updates to settle on one thing.
    """

    columns: Tensor
    rows: Tensor

    def __init__(self, channels: Sequence[int], height: int, width: int):
        super().__init__()
        self.normalise = nn.ModuleList(nn.GroupNorm(math.gcd(_NORM_GROUPS, count), count) for count in channels)
        self.sharpness = nn.Parameter(torch.full((channels[-1], 1), _SHARPNESS))
        self.register_buffer("columns", torch.linspace(-1.0, 1.0, width).repeat(height), persistent=False)
        self.register_buffer("rows", torch.linspace(-1.0, 1.0, height).repeat_interleave(width), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        flat = maps.flatten(start_dim=2)
        weight = torch.softmax(self.sharpness * flat, dim=2)
        return torch.cat([(weight * seen).sum(dim=2) for seen in (self.columns, self.rows, flat)], dim=1)


class DomainHead(MLP):
    """F_psi: which of ``domains`` a picture comes from, by its z_I alone. (batch, I) -> logits (batch, domains)."""

    def __init__(self, config: BottleneckConfig, domains: int):
        super().__init__(config.invariant_size, (config.domain_hidden_size,), domains)


def domain_loss(logits: Tensor, domain: Tensor) -> Tensor:
    """L_domain = -E[ log F_psi(z_I)[d] ] in nats, eq. (52). logits (batch, n_d); domain (batch,) of int64."""
    return functional.cross_entropy(logits, domain)


def adversarial_loss(logits: Tensor, domain: Tensor, domains: int) -> Tensor:
    """L_adv = -min(L_domain, log n_d), eq. (53), bounded as in daib.md 2.3: no head is worse than an even guess.

    domains: n_d, how many occur; the head may have room for more.
    """
    return -domain_loss(logits, domain).clamp(max=math.log(domains))


def kl_divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL( N(m, s^2) || N(0, I) ) = 1/2 sum_j (m_j^2 + s_j^2 - 2 log s_j - 1), eq. (54), (batch, S) -> (batch,) nats."""
    return 0.5 * (mean.square() + (2.0 * log_std).exp() - 2.0 * log_std - 1.0).sum(dim=1)


def adversarial_ramp(share: float, steepness: float) -> float:
    """2 / (1 + exp(-k p)) - 1: from 0 towards 1 over the ``share`` p of training done; DANN's schedule."""
    return 2.0 / (1.0 + math.exp(-steepness * share)) - 1.0


def linear_ramp(share: float, begin: float, end: float) -> float:
    """0 until ``begin``, 1 from ``end`` on."""
    if end == begin:
        return float(share >= end)
    return min(max((share - begin) / (end - begin), 0.0), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Penalty:
    """L_DAIB, a scalar with its gradient, and what it is made of: constants.

    rate: E[KL], nats that z_S carries at most; near 0 DAIB has become DANN (daib.md, pitfall 2). domain_loss: of the
    head as it stands, nats; log n_d where z_I tells nothing, NaN where there is no z_I.
    """

    loss: Tensor
    rate: Tensor
    domain_loss: Tensor


class DomainAdversary:
    """The other side of the game: the head that guesses the domain, how it learns, and what the encoder pays.

    Without an adversarial weight the head learns all the same, as a probe: its loss tells what z_I gives away.
    domains: how many the head tells apart. occurring: how many of them there are in the data, all until it is set.
    """

    def __init__(self, config: BottleneckConfig, domains: int):
        if config.adversarial and domains < 2:
            raise ConfigurationError(
                f"data of {domains} domain: an adversary needs two or more to tell apart; take the variant erm or vib"
            )
        self._config = config
        self.occurring = domains
        self.head: DomainHead | None = None
        if config.invariant_size:
            self.head = DomainHead(config, domains)
            self.vector = ParameterVector(self.head)
            self.optimizer = Adam(self.vector, config.domain_learning_rate)
            self._frozen = frozen_view(self.head, self.vector)

    def learn(self, invariant: Tensor, domain: Tensor) -> None:
        """The head's steps on eq. (52), with z_I (batch, I) held fast. domain: (batch,) of int64."""
        if self.head is None:
            return
        fixed = invariant.detach()
        for _ in range(self._config.domain_updates):
            self.vector.zero_gradients()
            torch.autograd.backward(domain_loss(self.head(fixed), domain))
            self.optimizer.step()

    def penalty(self, bottleneck: Bottleneck, domain: Tensor, share: float) -> Penalty:
        """L_DAIB = a_adv L_adv + beta_KL E[KL], eq. (54), with this share of training done; psi gets no gradient."""
        config = self._config
        loss = rate = bottleneck.mean.new_zeros(())
        guessed = loss.new_full((), math.nan)
        if self.head is not None:
            logits = self._frozen(bottleneck.invariant)
            guessed = domain_loss(logits.detach(), domain)
            weight = config.adversarial_weight * adversarial_ramp(share, config.adversarial_steepness)
            if weight:
                loss = loss + weight * adversarial_loss(logits, domain, self.occurring)
        if config.specific_size:
            rate = kl_divergence(bottleneck.mean, bottleneck.log_std).mean()
            weight = config.kl_weight * linear_ramp(share, config.kl_warmup_from, config.kl_warmup_to)
            if weight:
                loss = loss + weight * rate
        return Penalty(loss, rate.detach(), guessed)


def _convolved(size: int, config: BottleneckConfig, image: ImageSpec) -> int:
    """Pixels that are left of ``size`` after all layers. Raises ConfigurationError when there are none."""
    for kernel, stride in zip(config.kernels_px, config.strides_px, strict=True):
        size = (size - kernel) // stride + 1
        if size < 1:
            raise ConfigurationError(
                f"bottleneck: an image of {image.height} x {image.width} is too small for convolutions of "
                f"{config.kernels_px} with strides {config.strides_px}: take fewer of them"
            )
    return size
