"""R(z): the logit of "inserted" of what is seen, by its split representation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tenon.data.transitions import ImageSpec
from tenon.networks.bottleneck import Bottleneck, BottleneckEncoder
from tenon.networks.mlp import MLP
from tenon.rewards.daib.config import ClassifierConfig

_MAPS = 2


class RewardNetwork(nn.Module):
    """Encoder and head. image: of the camera."""

    def __init__(self, image: ImageSpec, config: ClassifierConfig):
        super().__init__()
        channels = _MAPS if config.sees == "plug" else image.channels
        self.encoder = BottleneckEncoder(image.model_copy(update={"channels": channels}), config.encoder)
        self.head = MLP(config.encoder.feature_size, (config.head_hidden_size,), 1)

    def judge(self, bottleneck: Bottleneck) -> Tensor:
        """Logits (batch,) of "inserted"."""
        logits: Tensor = self.head(bottleneck.features)
        return logits.squeeze(1)

    def forward(self, seen: Tensor) -> Tensor:
        """Logits (batch,), with z_S at its mean.

        seen: (batch, height, width, channels), uint8 or float in [0, 255]: the picture, or what ``FreePlug.maps``
        makes of it, as ``config.sees`` has it.
        """
        return self.judge(self.encoder(seen))


def reward_loss(logits: Tensor, inserted: Tensor) -> Tensor:
    """L_reward = -E[ r log R(z) + (1 - r) log(1 - R(z)) ] in nats, eq. (51). Both (batch,); inserted: 0 or 1."""
    return functional.binary_cross_entropy_with_logits(logits, inserted)
