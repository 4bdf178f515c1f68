"""From observations to features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tenon.configuration import ConfigurationError, parse
from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ImageSpec, ObservationSpec
from tenon.networks.encoders import Encoder, EncoderConfig, encoded_size

SCALED = ObservationSpec(state_size=2, state_scale=(0.001, 5.0), image=ImageSpec(height=2, width=3, channels=1))
SMALL = EncoderConfig(image="conv", channels=(4, 5), strides=(2, 1), embedding_size=6)


def _pictured(height: int = 9, width: int = 12) -> tuple[ObservationSpec, ObservationBatch]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (7, height, width, 3), generator=generator, dtype=torch.uint8)
    spec = ObservationSpec(state_size=2, image=ImageSpec(height=height, width=width, channels=3))
    return spec, ObservationBatch(torch.randn(7, 2, generator=generator), image)


def test_flat_scales_the_state_and_appends_the_pixels() -> None:
    state = torch.tensor([[0.002, -10.0]])
    image = torch.tensor([0, 51, 102, 153, 204, 255], dtype=torch.uint8).reshape(1, 2, 3, 1)
    features = Encoder(SCALED, EncoderConfig())(ObservationBatch(state, image))
    assert features.shape == (1, encoded_size(SCALED, EncoderConfig()))
    torch.testing.assert_close(features, torch.tensor([[2.0, -2.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]]))


def test_conv_is_the_written_out_network_behind_the_state() -> None:
    spec, batch = _pictured()
    encoder = Encoder(spec, SMALL)
    features = encoder(batch)
    assert features.shape == (7, encoded_size(spec, SMALL)) == (7, 8)
    torch.testing.assert_close(features[:, :2], batch.state)
    assert encoder.convolutions is not None and batch.image is not None
    weights = {name: tensor.detach().double() for name, tensor in encoder.convolutions.state_dict().items()}
    hidden = batch.image.double().numpy() / 255 - 0.5
    for layer, stride in enumerate((2, 1)):
        weight, bias = (weights[f"layers.{layer}.{kind}"].numpy() for kind in ("weight", "bias"))
        rows, columns = ((size - 3) // stride + 1 for size in hidden.shape[1:3])
        output = np.empty((7, rows, columns, len(bias)))
        for row in range(rows):
            for column in range(columns):
                window = hidden[:, row * stride : row * stride + 3, column * stride : column * stride + 3]
                output[:, row, column] = np.einsum("bijc,ocij->bo", window, weight) + bias
        hidden = np.maximum(output, 0.0)
    projected = torch.tensor(hidden).flatten(1) @ weights["project.weight"].T + weights["project.bias"]
    centred = projected - projected.mean(dim=1, keepdim=True)
    expected = torch.tanh(centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt())
    torch.testing.assert_close(features[:, 2:].double(), expected, rtol=1e-4, atol=1e-5)


def test_standardises_the_scaled_state_and_clips_it() -> None:
    spec = ObservationSpec(state_size=2, state_scale=(0.001, 5.0))
    encoder = Encoder(spec, EncoderConfig(standardize_state=True, state_clip=2.0))
    encoder.observe(torch.tensor([[0.001, 0.0], [0.003, 10.0]]))
    features = encoder(ObservationBatch(torch.tensor([[0.003, 5.0], [0.1, -5.0]])))
    torch.testing.assert_close(features, torch.tensor([[1.0, 0.0], [2.0, -2.0]]))


def test_encoder_without_statistics_and_convolutions_has_no_state() -> None:
    encoder = Encoder(SCALED, EncoderConfig())
    encoder.observe(torch.ones(3, 2))
    assert encoder.state_dict() == {}
    assert list(encoder.parameters()) == []


def test_image_too_small_for_the_convolutions_is_refused() -> None:
    spec, _ = _pictured(height=12, width=12)
    with pytest.raises(ConfigurationError, match="12 x 12 is too small for 4 convolutions"):
        Encoder(spec, EncoderConfig(image="conv"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"channels": [8, 8]}, "4 strides for 2 channels"), ({"strides": [2, 1, 0, 1]}, "must be positive")],
)
def test_layers_that_do_not_fit_are_refused(keys: dict[str, list[int]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(EncoderConfig, keys, where="encoder")
