"""IQL with bottlenecks: its update against an independent derivation, its two phases, and bugs that must be noticed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tenon.algorithms import DivergenceError, create, iql_daib
from tenon.algorithms.iql_daib import IQLDAIB
from tenon.algorithms.randomness import derived_seed
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec
from tenon.networks import bottleneck
from tenon.networks.bottleneck import adversarial_loss, kl_divergence

SIZE, DOMAINS, ROWS = 7, 3, 16
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=2, image=ImageSpec(height=SIZE, width=SIZE, channels=3)), action_size=2
)
UNCHANGED = {
    "shift_px": 0,
    "permute_channels": False,
    "channel_gain": 0.0,
    "channel_offset": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
}
BOTTLENECK = {
    "invariant_size": 3,
    "specific_size": 2,
    "channels": [4],
    "specific_channels": [3],
    "kernels_px": [3],
    "strides_px": [2],
    "dense_size": 6,
    "adversarial_weight": 0.7,
    "kl_weight": 0.05,
    "kl_warmup_from": 0.0,
    "kl_warmup_to": 0.0,
    "domain_hidden_size": 5,
    "domain_updates": 2,
    "domain_learning_rate": 1e-2,
}
CONFIG: dict[str, Any] = {
    "hidden_sizes": [8],
    "discount": 0.9,
    "actor_learning_rate": 1e-2,
    "critic_learning_rate": 2e-2,
    "target_rate": 0.1,
    "last_layer_scale": 1.0,
    "initial_std": 0.4,
    "expectile": 0.8,
    "inverse_temperature": 2.0,
    "weight_cap": 0.9,
    "bottleneck": BOTTLENECK,
    "policy_variant": "daib",
    "critic_variant": "dann",
    "value_variant": "no-kl",
    "augment": UNCHANGED,
    "domains": DOMAINS,
    "encoder_updates": 4,
    "compass_weight": 1.5,
    "compass": {"hidden_size": 5},
}


def _learner(seed: int = 0, **changes: Any) -> IQLDAIB:
    learner = create("iql_daib", {**CONFIG, **changes}, SPEC, seed=seed)
    assert isinstance(learner, IQLDAIB)
    return learner


def _batch(seed: int = 0, *, prior: int = ROWS) -> Batch:
    """prior: so many rows come from the prior data."""
    generator = torch.Generator().manual_seed(seed)

    def observation() -> ObservationBatch:
        image = torch.randint(0, 256, (ROWS, SIZE, SIZE, 3), generator=generator, dtype=torch.uint8)
        return ObservationBatch(torch.randn(ROWS, 2, generator=generator), image)

    return Batch(
        observation=observation(),
        action=torch.tanh(torch.randn(ROWS, 2, generator=generator)),
        reward=torch.randn(ROWS, generator=generator),
        next_observation=observation(),
        terminated=(torch.arange(ROWS) % 4 == 0).to(torch.float32),
        number=torch.arange(ROWS),
        prior=torch.arange(ROWS) < prior,
        session=torch.arange(ROWS) % DOMAINS,
        success_state=_success_state(torch.randn(ROWS, 2, generator=generator)),
    )


def _success_state(state: Tensor) -> Tensor:
    """In every third row, nobody knows it."""
    return torch.where((torch.arange(ROWS) % 3 == 0)[:, None], torch.nan, state)


_GROUPS = {
    "policy": (("policy.", "encoder."), 1e-2),
    "values": (("critic.", "value.", "critic_encoder.", "value_encoder."), 2e-2),
    "heads": (("policy_domain_head.", "critic_domain_head.", "value_domain_head."), 1e-2),
}
"""Which prefixes each optimiser trains, and at what rate."""


class _WrittenOut:
    """The formulas of daib.md 2.2 to 2.4 in float64 with torch's own Adam: shares no code with the learner."""

    def __init__(self, learner: IQLDAIB) -> None:
        self.seed, self.update = learner.seed, 0
        state = learner.state().tensors
        self.t = {k: v.to(torch.float64).clone() for k, v in state.items() if not k.startswith("adam")}
        self.adams = {}
        for name, (prefixes, rate) in _GROUPS.items():
            trained = [v.requires_grad_() for k, v in self.t.items() if k.startswith(prefixes)]
            self.adams[name] = torch.optim.Adam(trained, lr=rate)

    def mlp(self, name: str, x: Tensor, member: int | None = None) -> Tensor:
        w, b = ([self.t[f"{name}.{kind}.{k}"] for k in range(2)] for kind in ("weights", "biases"))
        if member is not None:
            w, b = [v[member] for v in w], [v[member] for v in b]
        return torch.clamp(x @ w[0] + b[0], min=0) @ w[1] + b[1]

    def tower(self, name: str, image: Tensor) -> Tensor:
        x = (image.to(torch.float64).permute(0, 3, 1, 2) - 127.5) / 255
        x = functional.conv2d(x, self.t[f"{name}.layers.0.weight"], self.t[f"{name}.layers.0.bias"], stride=2).relu()
        return self.mlp(f"{name}.dense", x.permute(0, 2, 3, 1).flatten(1))

    def encode(self, name: str, observation: ObservationBatch, eps: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Features, z_I, and KL per row (zero without z_S)."""
        assert observation.image is not None
        x = self.tower(f"{name}.bottleneck.invariant", observation.image)
        x = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        z = x * self.t[f"{name}.bottleneck.normalise.weight"] + self.t[f"{name}.bottleneck.normalise.bias"]
        parts, kl = [observation.state.to(torch.float64), z], torch.zeros(ROWS, dtype=torch.float64)
        if f"{name}.bottleneck.specific.layers.0.weight" in self.t:
            mean, raw = self.tower(f"{name}.bottleneck.specific", observation.image).chunk(2, dim=1)
            std = torch.exp(-5 + 6 / (1 + torch.exp(-raw)))
            normal = torch.distributions.Normal(mean, std)
            kl = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1)
            parts.append(mean if eps is None else mean + std * eps.to(torch.float64))
        return torch.cat(parts, dim=1), z, kl

    def penalty(self, network: str, z: Tensor, kl: Tensor, session: Tensor) -> Tensor:
        ramp = 2 / (1 + math.exp(-10 * self.update / 4)) - 1
        guess = torch.log_softmax(self.mlp(f"{network}_domain_head", z), dim=1)[torch.arange(ROWS), session]
        adversarial = -torch.minimum(-guess.mean(), torch.tensor(math.log(DOMAINS + 1)))
        return 0.7 * ramp * adversarial + (0.05 * kl.mean() if network == "policy" else 0.0)

    def way(self, name: str, features: Tensor, batch: Batch) -> Tensor:
        """Mean square error of what tells where success lies, over the rows that know it."""
        assert batch.success_state is not None
        told = self.mlp(f"{name}.compass", features)
        missing = (batch.success_state - batch.observation.state - told)[[n for n in range(ROWS) if n % 3]]
        return (missing**2).mean()

    def step(self, batch: Batch) -> dict[str, float]:
        seen = {}
        for network, name in (("policy", "encoder"), ("critic", "critic_encoder"), ("value", "value_encoder")):
            generator = torch.Generator().manual_seed(derived_seed(self.seed, f"z_S {network}", self.update + 1))
            size = 0 if network == "critic" else 2
            seen[network] = self.encode(name, batch.observation, torch.randn(ROWS, size, generator=generator))
        a = batch.action.to(torch.float64)

        def q(name: str) -> list[Tensor]:
            with_action = torch.cat((seen["critic"][0], a), dim=1)
            return [self.mlp(f"{name}.network", with_action, k)[:, 0] for k in range(2)]

        v = self.mlp("value.network", seen["value"][0])[:, 0]
        u = torch.minimum(*q("target_critic")).detach() - v
        next_v = self.mlp("value.network", self.encode("value_encoder", batch.next_observation, None)[0])[:, 0].detach()
        y = batch.reward + 0.9 * (1 - batch.terminated) * next_v
        weight = torch.exp(2.0 * u.detach()).clamp(max=0.9)
        std = torch.exp(-5 + 7 * torch.sigmoid(self.t["policy.squashed_log_std"]))
        density = torch.distributions.Normal(torch.tanh(self.mlp("policy.network", seen["policy"][0])), std)
        loss = torch.stack([(0.8 if x > 0 else 0.2) * x**2 for x in u]).mean()
        loss = loss + sum(((value - y) ** 2).mean() for value in q("critic"))
        loss = loss - (weight * density.log_prob(a).sum(1)).mean()
        assert batch.session is not None
        for network, (_, z, kl) in seen.items():
            loss = loss + self.penalty(network, z, kl, batch.session)
            name = "encoder" if network == "policy" else f"{network}_encoder"
            loss = loss + 1.5 * self.way(name, seen[network][0], batch)
        for adam in self.adams.values():
            adam.zero_grad()
        loss.backward()
        self.adams["policy"].step()
        self.adams["values"].step()
        for _ in range(2):
            self.adams["heads"].zero_grad()
            of_heads = [
                functional.cross_entropy(self.mlp(f"{network}_domain_head", z.detach()), batch.session)
                for network, (_, z, _) in seen.items()
            ]
            torch.stack(of_heads).sum().backward()
            self.adams["heads"].step()
        with torch.no_grad():
            for name in [k for k in self.t if k.startswith("target_")]:
                self.t[name] = 0.9 * self.t[name] + 0.1 * self.t[name.removeprefix("target_")]
        self.update += 1
        return {"policy_rate": seen["policy"][2].mean().item(), "value_mean": v.mean().item()}


def check_updates() -> None:
    """Three updates, with encoders, move every parameter to where the written-out formulas move it."""
    learner = _learner(seed=3)
    expected = _WrittenOut(learner)
    for number in range(3):
        numbers = expected.step(_batch(number))
        metrics = learner.update(_batch(number)).as_dict()
        for name, value in numbers.items():
            assert metrics[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    own = learner.state().tensors
    for name, tensor in expected.t.items():
        np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=5e-3, atol=2e-4, err_msg=name)


def test_updates_are_those_of_the_written_out_formulas() -> None:
    check_updates()


def _flipped_adversary(logits: Tensor, domain: Tensor, domains: int) -> Tensor:
    return -adversarial_loss(logits, domain, domains)


def _flipped_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    return -kl_divergence(mean, log_std)


def _soft_minimum(self: IQLDAIB, features: Tensor, action: Tensor) -> Tensor:
    return self.target_critic(features, action).mean(dim=0).detach()


def _way_back(self: IQLDAIB, batch: Batch) -> Tensor:
    assert batch.success_state is not None
    return batch.observation.state - batch.success_state


def _bootstrap_through_the_end(reward: Tensor, terminated: Tensor, value: Tensor, discount: float, steps: None) -> Any:
    return reward + discount * value


@pytest.mark.parametrize(
    ("where", "name", "bug"),
    [
        (bottleneck, "adversarial_loss", _flipped_adversary),
        (bottleneck, "kl_divergence", _flipped_kl),
        (iql_daib, "expectile_loss", lambda difference, expectile: difference.square().mean()),
        (iql_daib, "exponential_weights", lambda advantage, temperature, cap: torch.ones_like(advantage)),
        (iql_daib, "weighted_likelihood_loss", lambda weight, density: (weight * density).mean()),
        (iql_daib, "bellman_target", _bootstrap_through_the_end),
        (IQLDAIB, "_target_value", _soft_minimum),
        (IQLDAIB, "_way", _way_back),
    ],
)
def test_check_notices_a_planted_bug(
    where: Any, name: str, bug: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, bug)
    with pytest.raises(AssertionError):
        check_updates()


class _Pictures:
    """What each encoder was given."""

    def __init__(self, learner: IQLDAIB) -> None:
        self.policy: list[Tensor] = []
        self.value: list[Tensor] = []
        for encoder, seen in ((learner.encoder, self.policy), (learner.encoder_of("value"), self.value)):
            assert encoder.bottleneck is not None
            encoder.bottleneck.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].clone()))


CHANGED = {**UNCHANGED, "channel_offset": 0.2, "permute_channels": True}


def _offsets(change: Tensor, original: Tensor) -> Tensor:
    """(rows,): mean change of a picture's brightness, which the clipping at black and white leaves roughly alone."""
    return (change - original.to(torch.float32)).mean(dim=(1, 2, 3))


def test_offline_all_pictures_are_augmented_and_the_two_of_a_transition_alike() -> None:
    learner, batch = _learner(augment=CHANGED), _batch(prior=4)
    batch.next_observation.image.copy_(batch.observation.image)  # type: ignore[union-attr, arg-type]
    seen = _Pictures(learner)
    learner.update(batch)
    image = batch.observation.image
    assert image is not None
    assert bool((_offsets(seen.policy[0], image).abs() > 0.01).all())
    assert torch.equal(seen.value[0], seen.value[1])
    assert torch.equal(seen.value[0], seen.policy[0])


def test_in_practice_own_pictures_stay_raw_and_prior_ones_are_augmented() -> None:
    learner, batch = _learner(augment=CHANGED, encoder_updates=0), _batch(prior=6)
    seen = _Pictures(learner)
    learner.update(batch)
    for observation, pictures in zip((batch.observation, batch.next_observation), seen.value, strict=True):
        assert observation.image is not None
        offsets = _offsets(pictures, observation.image)
        assert bool((offsets[:6].abs() > 0.01).all())
        assert offsets[6:].tolist() == [0.0] * (ROWS - 6)


def test_practice_draws_no_prior_pictures_now_and_then_and_goes_on() -> None:
    learner, batch = _learner(augment=CHANGED, encoder_updates=0), _batch(prior=0)
    seen = _Pictures(learner)
    learner.update(batch)
    assert batch.observation.image is not None
    assert not _offsets(seen.policy[0], batch.observation.image).any()


def test_augmentation_differs_from_update_to_update() -> None:
    learner = _learner(augment=CHANGED)
    seen = _Pictures(learner)
    for _ in range(2):
        learner.update(_batch())
    assert not torch.equal(seen.policy[0], seen.policy[1])


def test_encoders_freeze_after_their_updates_and_the_heads_go_on() -> None:
    learner = _learner(encoder={"standardize_state": True})
    for number in range(4):
        learner.update(_batch(number))
    frozen = learner.state()
    metrics = learner.update(_batch(4, prior=12)).as_dict()
    after = learner.state()
    moved = {name.split(".")[0] for name in after.tensors if not torch.equal(after.tensors[name], frozen.tensors[name])}
    assert moved == {"policy", "critic", "value", "target_critic", "adam"}
    adams = {k.split(".")[1] for k, v in after.tensors.items() if not torch.equal(v, frozen.tensors[k]) and "adam" in k}
    assert adams == {"policy", "critic"}
    assert after.optimizer_steps["policy_encoder"] == 4
    assert metrics["policy_rate"] == metrics["policy_domain_loss"] == 0.0


def test_encoders_tuned_in_practice_go_on_learning_and_pay_nothing_for_domains() -> None:
    learner = _learner(tuned_in_practice=["policy"], encoder_updates=0)
    before = learner.state()
    metrics = learner.update(_batch(prior=12)).as_dict()
    after = learner.state()
    moved = {name.split(".")[0] for name in after.tensors if not torch.equal(after.tensors[name], before.tensors[name])}
    assert moved == {"encoder", "policy", "critic", "value", "target_critic", "adam"}
    assert metrics["policy_rate"] == metrics["policy_domain_loss"] == 0.0
    assert metrics["policy_way_loss"] > 0.0


READ = {"compass": {"hidden_size": 5, "read": True, "fine": 0.2}}


def test_practice_acts_by_a_mean_of_the_weights_that_are_learnt() -> None:
    rate = 0.1
    learner = _learner(average_rate=rate, tuned_in_practice=["policy"])
    plain = _learner(tuned_in_practice=["policy"])
    held_from_the_start = learner.actor_network
    for number in range(4):
        learner.update(_batch(number))
        plain.update(_batch(number))
    mean = {name: value.clone() for name, value in plain.actor_network.state_dict().items()}
    assert all(torch.equal(mean[name], value) for name, value in learner.actor_network.state_dict().items())
    for number in range(4, 7):
        learner.update(_batch(number, prior=4))
        plain.update(_batch(number, prior=4))
        for name, value in plain.actor_network.named_parameters():
            mean[name] += rate * (value.detach() - mean[name])
    for name, value in learner.actor_network.state_dict().items():
        torch.testing.assert_close(value, mean[name])
    assert not any(torch.equal(mean[name], value) for name, value in plain.actor_network.named_parameters())
    assert held_from_the_start is learner.actor_network, "an actor that someone holds goes on with the mean"
    # It goes on from a state as it was, and what is learnt does not depend on it.
    other = _learner(seed=1, average_rate=rate, tuned_in_practice=["policy"])
    other.load_state(learner.state())
    assert all(
        torch.equal(a, b)
        for a, b in zip(other.actor_network.parameters(), learner.actor_network.parameters(), strict=True)
    )
    assert all(torch.equal(a, b) for a, b in zip(learner.policy.parameters(), plain.policy.parameters(), strict=True))


def test_networks_that_read_the_compass_share_the_encoder_and_see_state_and_way_alone() -> None:
    learner, batch = _learner(**READ), _batch()
    assert learner.encoder_of("critic") is learner.encoder_of("value") is learner.encoder
    assert learner.encoder.compass is not None and learner.encoder.bottleneck is not None
    with torch.no_grad():
        seen = learner.encoder(batch.observation)
        z = learner.encoder.bottleneck.features(batch.observation.image)
        way = learner.encoder.compass(torch.cat((batch.observation.state, z), dim=1))
    expected = torch.cat((batch.observation.state, way, torch.tanh(way / 0.2)), dim=1)
    torch.testing.assert_close(seen, expected)


def test_what_reads_the_compass_does_not_bend_it() -> None:
    """The encoder's step is the same whatever policy and values lose: hindsight and the bottleneck alone teach it."""
    one, other = _learner(**READ), _learner(**READ, inverse_temperature=0.1, expectile=0.6)
    for learner in (one, other):
        learner.update(_batch())
    mine, theirs = one.state().tensors, other.state().tensors
    assert all(torch.equal(mine[name], theirs[name]) for name in mine if name.startswith("encoder."))
    assert not all(torch.equal(mine[name], theirs[name]) for name in mine if name.startswith("policy."))


def test_compass_that_is_read_turns_to_success() -> None:
    learner = _learner(**READ, encoder_updates=200, policy_variant="erm", encoder_learning_rate=1e-2)
    lost = [learner.update(_batch()).as_dict()["policy_way_loss"] for _ in range(150)]
    assert lost[-1] < 0.5 * lost[0]


def test_compass_without_known_ways_moves_nothing() -> None:
    lost = dataclasses.replace(_batch(), success_state=torch.full((ROWS, 2), torch.nan))
    learner = _learner()
    before = learner.state().tensors
    metrics = learner.update(lost).as_dict()
    after = learner.state().tensors
    assert metrics["policy_way_loss"] == 0.0
    assert all(torch.equal(before[name], after[name]) for name in after if ".compass." in name)


def test_compass_asks_for_what_it_needs() -> None:
    with pytest.raises(ConfigurationError, match=r"set sampling\.success_state: episode"):
        _learner().update(dataclasses.replace(_batch(), success_state=None))


def test_in_practice_nothing_is_sampled() -> None:
    """Two learners whose seeds differ, and with them all noise, do the same update once z_S is its mean."""
    one, other = _learner(0, encoder_updates=0), _learner(1, encoder_updates=0)
    state = one.state()
    other.load_state(state)
    other.seed = 1
    for learner in (one, other):
        learner.update(_batch(prior=8))
    mine, theirs = one.state().tensors, other.state().tensors
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_policy_leaves_the_values_and_their_encoders_alone() -> None:
    one, other = _learner(), _learner(initial_std=1.5)
    for number in range(3):
        one.update(_batch(number))
        other.update(_batch(number))
    mine, theirs = one.state().tensors, other.state().tensors
    for name in mine:
        if name.startswith(("critic", "value", "target")):
            assert torch.equal(mine[name], theirs[name]), name


def test_own_transitions_are_a_domain_of_their_own() -> None:
    as_prior, own = _learner(), _learner()
    for learner, prior in ((as_prior, ROWS), (own, 4)):
        learner.update(_batch(prior=prior))
    a, b = (learner.state().tensors["policy_domain_head.biases.1"] for learner in (as_prior, own))
    assert a[DOMAINS] < 0 < b[DOMAINS]


def test_adversary_is_paid_at_most_for_an_even_guess_among_the_sessions_there_are() -> None:
    """With room for 1,600 sessions and 3 of them in the data, a fresh head errs by more: it says nothing yet."""
    roomy, told = _learner(domains=1600), _learner(domains=1600)
    told.on_prior(DOMAINS)
    without = _learner(domains=1600, bottleneck={**BOTTLENECK, "adversarial_weight": 0.0})
    for number in range(2):  # in the first, at the beginning of its ramp, it is not paid yet
        metrics = [learner.update(_batch(number)).as_dict() for learner in (roomy, told, without)]
    assert metrics[1]["critic_domain_loss"] > math.log(DOMAINS)
    of_roomy, of_told, of_without = (
        learner.state().tensors["critic_encoder.bottleneck.normalise.weight"] for learner in (roomy, told, without)
    )
    assert torch.equal(of_told, of_without)
    assert not torch.equal(of_roomy, of_without)


@pytest.mark.parametrize("session", [None, torch.full((ROWS,), DOMAINS)])
def test_sessions_that_do_not_fit_are_refused_and_nothing_changes(session: Tensor | None) -> None:
    learner, untouched = _learner(), _learner()
    with pytest.raises(ConfigurationError, match="which session" if session is None else "raise algorithm.domains"):
        learner.update(dataclasses.replace(_batch(), session=session))
    a, b = learner.state().tensors, untouched.state().tensors
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("network", iql_daib.NETWORKS)
def test_encoder_whose_gradient_is_not_finite_is_not_stepped(network: iql_daib.Network) -> None:
    learner = _learner()
    before = learner.state()
    for parameter in learner.encoder_of(network).parameters():
        parameter.register_hook(lambda gradient: torch.full_like(gradient, torch.nan))
    with pytest.raises(DivergenceError, match="the data are finite but the losses are not"):
        learner.update(_batch())
    after = learner.state()
    assert all(torch.equal(before.tensors[name], after.tensors[name]) for name in before.tensors)


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="policy_variant"):
        _learner(policy_variant="plain")
