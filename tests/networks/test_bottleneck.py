"""The split representation and its losses, against the formulas written out again and against numbers drawn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tenon.configuration import ConfigurationError, parse
from tenon.data.transitions import ImageSpec
from tenon.networks.bottleneck import (
    VARIANTS,
    Bottleneck,
    BottleneckConfig,
    BottleneckEncoder,
    DomainAdversary,
    adversarial_loss,
    adversarial_ramp,
    domain_loss,
    kl_divergence,
    linear_ramp,
)
from tenon.networks.parameters import ParameterVector

IMAGE = ImageSpec(height=17, width=21, channels=3)
SMALL = BottleneckConfig(
    invariant_size=6, specific_size=4, channels=(4, 5), specific_channels=(3, 4), kernels_px=(5, 3), strides_px=(2, 2),
    dense_size=8, kl_weight=0.1,
)  # fmt: skip
DOMAINS = 3


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _images(count: int = 5) -> torch.Tensor:
    return torch.randint(0, 256, (count, *IMAGE.shape), dtype=torch.uint8)


def _encoded(config: BottleneckConfig = SMALL, count: int = 12) -> tuple[BottleneckEncoder, Bottleneck, torch.Tensor]:
    encoder = BottleneckEncoder(IMAGE, config)
    noise = torch.randn(count, config.specific_size)
    return encoder, encoder(_images(count), noise), torch.arange(count) % DOMAINS


def test_invariant_part_is_the_written_out_network() -> None:
    encoder, images = BottleneckEncoder(IMAGE, SMALL), _images()
    weights = {name: tensor.detach().double().numpy() for name, tensor in encoder.state_dict().items()}
    hidden = images.double().numpy() / 255 - 0.5
    for layer, kernel in enumerate((5, 3)):
        weight, bias = (weights[f"invariant.layers.{layer}.{kind}"] for kind in ("weight", "bias"))
        rows, columns = ((size - kernel) // 2 + 1 for size in hidden.shape[1:3])
        output = np.empty((len(images), rows, columns, len(bias)))
        for row, column in np.ndindex(rows, columns):
            window = hidden[:, row * 2 : row * 2 + kernel, column * 2 : column * 2 + kernel]
            output[:, row, column] = np.einsum("bijc,ocij->bo", window, weight) + bias
        hidden = np.maximum(output, 0.0)
    dense = hidden.reshape(len(images), -1)
    for layer in range(2):
        dense = dense @ weights[f"invariant.dense.weights.{layer}"] + weights[f"invariant.dense.biases.{layer}"]
        dense = np.maximum(dense, 0.0) if layer == 0 else dense
    expected = (dense - dense.mean(axis=1, keepdims=True)) / np.sqrt(dense.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(encoder(images).invariant.detach().numpy(), expected, rtol=1e-3, atol=1e-4)


def test_points_are_where_each_channel_is_brightest() -> None:
    encoder = BottleneckEncoder(IMAGE, BottleneckConfig(**{**SMALL.model_dump(), "pooling": "points"}))
    image = torch.randint(0, 256, (3, 17, 21, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    tower = encoder.requires_grad_(False).invariant
    assert tower is not None and tower.points is not None
    hidden = (image.to(torch.float64).permute(0, 3, 1, 2) - 127.5) / 255
    for number, (layer, norm) in enumerate(zip(tower.layers, tower.points.normalise, strict=True)):
        weight, bias, stride = layer.weight.double(), layer.bias.double(), layer.stride
        hidden = functional.conv2d(hidden, weight, bias, stride=stride)
        groups = hidden.reshape(3, norm.num_groups, -1)
        spread = (groups.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
        hidden = ((groups - groups.mean(2, keepdim=True)) / spread).reshape(hidden.shape)
        if number < len(tower.layers) - 1:
            hidden = hidden.clamp(min=0)
    channels, height, width = hidden.shape[1:]
    points = []
    for row, column in itertools.product(range(3), range(channels)):
        seen = hidden[row, column]
        share = (4.0 * seen).exp() / (4.0 * seen).exp().sum()
        x = sum(share[:, i].sum() * (2 * i / (width - 1) - 1) for i in range(width))
        y = sum(share[i].sum() * (2 * i / (height - 1) - 1) for i in range(height))
        points.append((x, y, (share * seen).sum()))
    expected = torch.tensor(points, dtype=torch.float64).reshape(3, channels, 3).transpose(1, 2).flatten(1)
    pixels = image.permute(0, 3, 1, 2).sub(127.5).div(255)
    torch.testing.assert_close(tower.features(pixels).double(), expected, rtol=1e-3, atol=1e-4)


def test_points_move_with_what_they_mark() -> None:
    config = BottleneckConfig(channels=(4,), specific_channels=(4,), kernels_px=(3,), strides_px=(1,), pooling="points")
    tower = BottleneckEncoder(IMAGE, config.variant("erm")).invariant
    assert tower is not None
    here, there = torch.zeros(2, 1, 3, 17, 21)
    here[..., 5:8, 6:9] = there[..., 8:11, 10:13] = 1.0
    x, y, bright = (tower.features(there) - tower.features(here)).reshape(3, 4)
    towards = (x.sign() == y.sign()) & (x.abs() > 1e-3)
    assert bool(towards.any()) and bool((bright.abs() < 1e-4).all())


def test_specific_part_is_sampled_with_noise_and_its_mean_without() -> None:
    encoder, images = BottleneckEncoder(IMAGE, SMALL), _images()
    noise = torch.randn(5, 4)
    sampled, plain = encoder(images, noise), encoder(images)
    torch.testing.assert_close(sampled.specific, sampled.mean + sampled.log_std.exp() * noise)
    assert torch.equal(plain.specific, plain.mean)
    torch.testing.assert_close(encoder.features(images), torch.cat((plain.invariant, plain.mean), dim=1))


def test_bytes_and_their_floats_give_the_same_features_and_stay_as_they_are() -> None:
    encoder, images = BottleneckEncoder(IMAGE, SMALL), _images()
    floats = images.float()
    torch.testing.assert_close(encoder.features(images), encoder.features(floats))
    assert torch.equal(floats, images.float())


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_has_its_parts_and_the_same_number_of_layers(name: str) -> None:
    config = SMALL.variant(name)
    encoder = BottleneckEncoder(IMAGE, config)
    assert (encoder.invariant is not None) is (name != "vib")
    assert (encoder.specific is not None) is (name in ("daib", "no-kl", "vib"))
    assert config.adversarial is (name in ("daib", "no-kl", "dann"))
    assert (config.kl_weight > 0.0) is (name != "no-kl")
    assert encoder.features(_images()).shape == (5, config.feature_size)


def test_vib_has_as_many_features_as_daib_all_behind_the_bottleneck() -> None:
    assert SMALL.variant("vib").specific_size == SMALL.feature_size
    assert SMALL.variant("vib").specific_channels == SMALL.channels


def test_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'dain' is unknown\. There are: daib, no-kl, dann"):
        SMALL.variant("dain")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"channels": (8, 8)}, "one entry per convolution"),
        ({"strides_px": (2, 0, 2)}, "must be positive"),
        ({"invariant_size": 0, "specific_size": 0}, "no features"),
        ({"invariant_size": 0}, "set adversarial_weight: 0"),
        ({"kl_warmup_from": 0.8}, "ends .0.75. before it begins .0.8."),
    ],
)
def test_sizes_that_make_no_sense_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(BottleneckConfig, keys, where="bottleneck")


def test_image_too_small_for_the_convolutions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="12 x 12 is too small"):
        BottleneckEncoder(ImageSpec(height=12, width=12, channels=3), BottleneckConfig())


def test_domain_loss_is_the_mean_surprise_of_the_softmax() -> None:
    logits, domain = torch.randn(4, DOMAINS).double(), torch.tensor([0, 2, 1, 2])
    surprise = [
        -math.log(math.exp(row[d]) / sum(math.exp(x) for x in row))
        for row, d in zip(logits.tolist(), domain.tolist(), strict=True)
    ]
    assert float(domain_loss(logits, domain)) == pytest.approx(sum(surprise) / 4)


def test_adversarial_loss_is_the_negative_domain_loss_and_never_below_an_even_guess() -> None:
    domain = torch.tensor([0, 1])
    right = torch.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    assert float(adversarial_loss(right, domain, DOMAINS)) == pytest.approx(-float(domain_loss(right, domain)))
    wrong = (-1e6 * right).requires_grad_()
    loss = adversarial_loss(wrong, domain, DOMAINS)
    assert float(loss.detach()) == pytest.approx(-math.log(DOMAINS))
    torch.autograd.backward(loss)
    assert wrong.grad is not None and not wrong.grad.any()


def test_even_guess_is_one_among_the_domains_that_occur_whatever_the_room() -> None:
    _, z, domain = _encoded()
    adversary = DomainAdversary(SMALL, 1600)
    assert float(adversary.penalty(z, domain, 1.0).domain_loss) > math.log(DOMAINS)
    adversary.occurring = DOMAINS
    penalty = adversary.penalty(z, domain, 1.0)
    kl = SMALL.kl_weight * float(penalty.rate)
    ramp = adversarial_ramp(1.0, SMALL.adversarial_steepness)
    assert float(penalty.loss.detach()) - kl == pytest.approx(-SMALL.adversarial_weight * ramp * math.log(DOMAINS))
    # Nothing is left to push z_I for, though a head with room for 1,600 could be made to err far more.
    (pushed,) = torch.autograd.grad(penalty.loss, z.invariant, allow_unused=True)
    assert pushed is None or not pushed.any()


def test_kl_is_the_mean_log_ratio_of_the_two_densities() -> None:
    mean, log_std = torch.tensor([[0.5, -1.0], [0.0, 0.0]]).double(), torch.tensor([[-0.3, 0.4], [0.0, 0.0]]).double()
    z = mean + log_std.exp() * torch.randn(200_000, 2, 2, dtype=torch.float64)
    # Of the log densities, without the constant that both have.
    ratio = -0.5 * ((z - mean) / log_std.exp()).square() - log_std + 0.5 * z.square()
    torch.testing.assert_close(kl_divergence(mean, log_std), ratio.sum(dim=2).mean(dim=0), atol=0.02, rtol=0.0)
    assert float(kl_divergence(mean, log_std)[1]) == 0.0


def test_ramps_begin_at_zero_and_end_at_one() -> None:
    assert adversarial_ramp(0.0, 10.0) == 0.0
    assert adversarial_ramp(0.1, 10.0) == pytest.approx((math.e - 1) / (math.e + 1))
    assert adversarial_ramp(1.0, 10.0) == pytest.approx(1.0, abs=1e-4)
    assert [linear_ramp(p, 0.25, 0.75) for p in (0.0, 0.25, 0.5, 0.75, 1.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert [linear_ramp(p, 0.0, 0.0) for p in (0.0, 1.0)] == [1.0, 1.0]


def test_penalty_is_the_weighted_sum_with_its_ramps() -> None:
    _, z, domain = _encoded()
    adversary = DomainAdversary(SMALL, DOMAINS)
    penalty = adversary.penalty(z, domain, 0.5)
    assert adversary.head is not None
    guessed = float(domain_loss(adversary.head(z.invariant), domain).detach())
    rate = float((0.5 * (z.mean**2 + z.log_std.exp() ** 2 - 2 * z.log_std - 1)).sum(dim=1).mean().detach())
    expected = -(2 / (1 + math.exp(-5)) - 1) * min(guessed, math.log(DOMAINS)) + 0.1 * 0.5 * rate
    assert float(penalty.loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(penalty.rate) == pytest.approx(rate, rel=1e-5)
    assert float(penalty.domain_loss) == pytest.approx(guessed, rel=1e-5)
    assert float(adversary.penalty(z, domain, 0.0).loss) == 0.0


def test_head_takes_two_steps_that_leave_the_encoder_alone() -> None:
    encoder, z, domain = _encoded()
    adversary = DomainAdversary(SMALL, DOMAINS)
    before = float(adversary.penalty(z, domain, 1.0).domain_loss)
    adversary.learn(z.invariant, domain)
    assert adversary.optimizer.steps == SMALL.domain_updates == 2
    assert float(adversary.penalty(z, domain, 1.0).domain_loss) < before
    assert all(parameter.grad is None for parameter in encoder.parameters())


def _small_step(vector: ParameterVector) -> None:
    vector.values.sub_(vector.gradients, alpha=1e-3 / float(vector.gradient_norm()))


def test_penalty_moves_the_encoder_against_the_head_and_leaves_the_head_alone() -> None:
    config = SMALL.model_copy(update={"kl_weight": 0.0})
    encoder, images, domain = BottleneckEncoder(IMAGE, config), _images(12), torch.arange(12) % DOMAINS
    vector, adversary = ParameterVector(encoder), DomainAdversary(config, DOMAINS)
    for _ in range(60):
        adversary.learn(encoder(images).invariant, domain)
    adversary.vector.zero_gradients()
    before = adversary.penalty(encoder(images), domain, 1.0)
    assert float(before.domain_loss) < 0.9 * math.log(DOMAINS)
    torch.autograd.backward(before.loss)
    assert not adversary.vector.gradients.any()
    _small_step(vector)
    assert float(adversary.penalty(encoder(images), domain, 1.0).domain_loss) > float(before.domain_loss)


def test_penalty_lowers_the_rate() -> None:
    config = SMALL.model_copy(update={"adversarial_weight": 0.0})
    encoder, images, domain = BottleneckEncoder(IMAGE, config), _images(12), torch.arange(12) % DOMAINS
    vector, adversary = ParameterVector(encoder), DomainAdversary(config, DOMAINS)
    before = adversary.penalty(encoder(images), domain, 1.0)
    torch.autograd.backward(before.loss)
    _small_step(vector)
    assert float(adversary.penalty(encoder(images), domain, 1.0).rate) < float(before.rate)


def test_head_is_a_mere_probe_without_an_adversarial_weight() -> None:
    config = SMALL.variant("erm")
    _, z, domain = _encoded(config)
    adversary = DomainAdversary(config, DOMAINS)
    first = adversary.penalty(z, domain, 1.0)
    adversary.learn(z.invariant, domain)
    assert float(first.loss) == 0.0
    assert not first.loss.requires_grad
    assert float(adversary.penalty(z, domain, 1.0).domain_loss) < float(first.domain_loss)


def test_vib_has_no_head_and_pays_for_its_rate_alone() -> None:
    config = SMALL.variant("vib")
    _, z, domain = _encoded(config)
    adversary = DomainAdversary(config, DOMAINS)
    adversary.learn(z.invariant, domain)
    penalty = adversary.penalty(z, domain, 1.0)
    assert adversary.head is None
    assert math.isnan(float(penalty.domain_loss))
    assert float(penalty.loss.detach()) == pytest.approx(0.1 * float(penalty.rate))


def test_adversary_over_one_domain_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="data of 1 domain"):
        DomainAdversary(SMALL, 1)
