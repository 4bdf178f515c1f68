"""SAC's losses and its update against an independent derivation, and bugs that these checks must notice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import create, sac
from tenon.algorithms.randomness import derived_seed
from tenon.algorithms.sac import SAC
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
CONFIG = {
    "hidden_sizes": [8, 8],
    "discount": 0.9,
    "actor_learning_rate": 1e-2,
    "critic_learning_rate": 2e-2,
    "temperature_learning_rate": 3e-2,
    "target_rate": 0.1,
    "initial_temperature": 0.3,
    "last_layer_scale": 1.0,
}


def _batch(seed: int = 0, size: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        observation=ObservationBatch(normal(size, 3)),
        action=torch.tanh(normal(size, 2)),
        reward=normal(size),
        next_observation=ObservationBatch(normal(size, 3)),
        terminated=(torch.arange(size) % 4 == 0).to(torch.float32),
        number=torch.arange(size),
        prior=torch.arange(size) % 3 == 0,
    )


def _mlp(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.clamp(x @ weight + bias, min=0.0)
    return x @ weights[-1] + biases[-1]


class _WrittenOut:
    """One SAC update from the formulas of insertion.md 2.4, in float64, with torch's own Adam: shares no code."""

    def __init__(self, learner: SAC):
        tensors = {name: value.to(torch.float64) for name, value in learner.state().tensors.items()}

        def named(prefix: str) -> tuple[list[Tensor], list[Tensor]]:
            weights = [tensors[f"{prefix}.network.weights.{k}"].clone().requires_grad_() for k in range(3)]
            return weights, [tensors[f"{prefix}.network.biases.{k}"].clone().requires_grad_() for k in range(3)]

        self.policy, self.critic, self.target = named("policy"), named("critic"), named("target_critic")
        self.log_alpha = tensors["temperature.log_value"].clone().requires_grad_()
        noise_seed = derived_seed(learner.seed, "update", learner.updates + 1)
        noise = torch.randn(2, 16, 2, generator=torch.Generator().manual_seed(noise_seed))
        self.next_noise, self.noise = noise.to(torch.float64)

    def _pi(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = _mlp(state, *self.policy).chunk(2, dim=1)
        action = torch.tanh(mean + log_std.exp() * noise)
        normal = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        return action, (normal - torch.log(1 - action**2)).sum(dim=1)

    @staticmethod
    def _q(network: tuple[list[Tensor], list[Tensor]], state: Tensor, action: Tensor) -> list[Tensor]:
        x = torch.cat((state, action), dim=1)
        return [_mlp(x, [w[i] for w in network[0]], [b[i, 0] for b in network[1]])[:, 0] for i in range(2)]

    def update(self, batch: Batch) -> None:
        s, a, s2 = (t.to(torch.float64) for t in (batch.observation.state, batch.action, batch.next_observation.state))
        r, d = batch.reward.to(torch.float64), batch.terminated.to(torch.float64)
        alpha = self.log_alpha.detach().exp()
        with torch.no_grad():
            a2, log_pi2 = self._pi(s2, self.next_noise)
            q1, q2 = self._q(self.target, s2, a2)
            y = r + 0.9 * (1 - d) * (torch.minimum(q1, q2) - alpha * log_pi2)
        critic_loss = sum(((q - y) ** 2).mean() for q in self._q(self.critic, s, a))
        pi, log_pi = self._pi(s, self.noise)
        actor_loss = (alpha * log_pi - torch.minimum(*self._q(self.critic, s, pi))).mean()
        alpha_loss = -(self.log_alpha * (log_pi.detach() - 2.0)).mean()
        critic, policy = [*self.critic[0], *self.critic[1]], [*self.policy[0], *self.policy[1]]
        steps = [(critic_loss, critic, 2e-2), (actor_loss, policy, 1e-2), (alpha_loss, [self.log_alpha], 3e-2)]
        gradients = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss, parameters, _ in steps]
        for (_, parameters, rate), gradient in zip(steps, gradients, strict=True):
            for parameter, own in zip(parameters, gradient, strict=True):
                parameter.grad = own
            torch.optim.Adam(parameters, lr=rate).step()
        self.metrics = {
            "critic_loss": critic_loss.item(),
            "actor_loss": actor_loss.item(),
            "target_mean": float(y.mean()),
            "critic_gradient_norm": _norm(gradients[0]),
            "actor_gradient_norm": _norm(gradients[1]),
        }
        with torch.no_grad():
            for target, online in zip([*self.target[0], *self.target[1]], critic, strict=True):
                target.mul_(0.9).add_(0.1 * online)

    def named_tensors(self) -> dict[str, Tensor]:
        named = {"temperature.log_value": self.log_alpha}
        networks = {"policy": self.policy, "critic": self.critic, "target_critic": self.target}
        for name, (weights, biases) in networks.items():
            named |= {f"{name}.network.weights.{k}": weight for k, weight in enumerate(weights)}
            named |= {f"{name}.network.biases.{k}": bias for k, bias in enumerate(biases)}
        return named


def _norm(gradients: tuple[Tensor, ...]) -> float:
    return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())


def check_update() -> None:
    """One update of SAC moves every parameter to where the written-out formulas move it."""
    learner = create("sac", CONFIG, SPEC, seed=3)
    assert isinstance(learner, SAC)
    expected = _WrittenOut(learner)
    batch = _batch()
    expected.update(batch)
    metrics = learner.update(batch).as_dict()
    for name, value in expected.metrics.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4), name
    own = learner.state().tensors
    for name, tensor in expected.named_tensors().items():
        np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


def test_update_is_that_of_the_written_out_formulas() -> None:
    check_update()


def _flipped_actor_q(log_density: Tensor, values: Tensor, temperature: Tensor) -> Tensor:
    return (temperature * log_density + values.min(dim=0).values).mean()


def _flipped_actor_entropy(log_density: Tensor, values: Tensor, temperature: Tensor) -> Tensor:
    return (-temperature * log_density - values.min(dim=0).values).mean()


def _maximum_of_critics(log_density: Tensor, values: Tensor, temperature: Tensor) -> Tensor:
    return (temperature * log_density - values.max(dim=0).values).mean()


def _flipped_temperature(log_temperature: Tensor, log_density: Tensor, target_entropy: float) -> Tensor:
    return log_temperature * (log_density.detach().mean() + target_entropy)


def _flipped_entropy_target(log_temperature: Tensor, log_density: Tensor, target_entropy: float) -> Tensor:
    return -log_temperature * (log_density.detach().mean() - target_entropy)


def _flipped_critic(values: Tensor, target: Tensor) -> Tensor:
    return -(values - target).square().sum(dim=0).mean()


def _flipped_target(values: Tensor, target: Tensor) -> Tensor:
    return (values + target).square().sum(dim=0).mean()


def _flipped_bootstrap(reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: None) -> Tensor:
    return reward - discount * (1.0 - terminated) * next_value


def _bootstrap_through_the_end(
    reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: None
) -> Tensor:
    return reward + discount * next_value


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("actor_loss", _flipped_actor_q),
        ("actor_loss", _flipped_actor_entropy),
        ("actor_loss", _maximum_of_critics),
        ("temperature_loss", _flipped_temperature),
        ("temperature_loss", _flipped_entropy_target),
        ("critic_loss", _flipped_critic),
        ("critic_loss", _flipped_target),
        ("bellman_target", _flipped_bootstrap),
        ("bellman_target", _bootstrap_through_the_end),
    ],
)
def test_check_notices_a_planted_bug(name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sac, name, bug)
    with pytest.raises(AssertionError):
        check_update()


def check_cloning_update() -> None:
    """An update that clones takes Adam's step on the likelihood of the data's actions, by torch's own distributions."""
    learner = create("sac", {**CONFIG, "cloning_updates": 1}, SPEC, seed=3)
    assert isinstance(learner, SAC)
    expected, batch = _WrittenOut(learner), _batch()
    mean, log_std = _mlp(batch.observation.state.double(), *expected.policy).chunk(2, dim=1)
    normal = torch.distributions.Normal(mean, log_std.exp())
    squashed = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
    loss = -squashed.log_prob(batch.action.double()).sum(dim=1).mean()
    parameters = [*expected.policy[0], *expected.policy[1]]
    loss.backward()
    torch.optim.Adam(parameters, lr=1e-2).step()
    assert learner.update(batch).as_dict()["actor_loss"] == pytest.approx(loss.item(), rel=1e-4)
    own = learner.state().tensors
    for name, tensor in expected.named_tensors().items():
        if name.startswith("policy"):
            np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


def test_cloning_update_is_that_of_the_written_out_formulas() -> None:
    check_cloning_update()


def test_cloning_check_notices_a_flipped_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sac, "likelihood_loss", lambda log_density: log_density.mean())
    with pytest.raises(AssertionError):
        check_cloning_update()


def test_cloning_trains_the_critics_as_always_and_leaves_the_temperature() -> None:
    cloning, plain = (create("sac", {**CONFIG, "cloning_updates": count}, SPEC, seed=0) for count in (2, 0))
    start = cloning.state().tensors
    cloning.update(_batch())
    plain.update(_batch())
    own, other = cloning.state().tensors, plain.state().tensors
    for name in (name for name in own if name.startswith(("critic", "target_critic"))):
        assert torch.equal(own[name], other[name])
    assert torch.equal(own["temperature.log_value"], start["temperature.log_value"])
    for number in (1, 2):
        cloning.update(_batch(number))
    assert not torch.equal(cloning.state().tensors["temperature.log_value"], start["temperature.log_value"])


def test_policy_clones_while_the_critics_warm_up() -> None:
    learner = create("sac", {**CONFIG, "cloning_updates": 1, "critic_warmup_updates": 2}, SPEC, seed=0)
    weights = []
    for _ in range(3):
        weights.append(learner.state().tensors["policy.network.weights.0"])
        learner.update(_batch())
    weights.append(learner.state().tensors["policy.network.weights.0"])
    assert [torch.equal(a, b) for a, b in itertools.pairwise(weights)] == [False, True, False]


def test_entropy_target_is_reached() -> None:
    learner = create("sac", {**CONFIG, "initial_std": 0.02, "last_layer_scale": 0.01}, SPEC, seed=0)
    batch = _batch(size=64)
    batch.reward.zero_()
    metrics = [learner.update(batch).as_dict() for _ in range(600)]
    assert metrics[0]["entropy"] < -4.0
    assert metrics[-1]["entropy"] == pytest.approx(-2.0, abs=0.5)


def test_warmup_trains_the_critic_and_leaves_the_actor() -> None:
    learner = create("sac", {**CONFIG, "critic_warmup_updates": 3}, SPEC, seed=0)
    before = learner.state().tensors
    for _ in range(3):
        learner.update(_batch())
    warm = learner.state().tensors
    learner.update(_batch())
    after = learner.state().tensors
    for name in ("policy.network.weights.0", "temperature.log_value"):
        assert torch.equal(before[name], warm[name])
        assert not torch.equal(warm[name], after[name])
    assert not torch.equal(before["critic.network.weights.0"], warm["critic.network.weights.0"])


def test_entropy_that_no_policy_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="target_entropy_per_action"):
        create("sac", {**CONFIG, "target_entropy_per_action": 0.7}, SPEC, seed=0)


def test_policy_that_acts_is_the_average_that_is_asked_for() -> None:
    rate = 0.25
    learner = create("sac", {**CONFIG, "average_rate": rate, "critic_warmup_updates": 1}, SPEC, seed=0)
    average = [parameter.detach().clone() for parameter in learner.policy.parameters()]
    for share in (0.0, 1.0 / 2.0, 1.0 / 3.0, rate, rate):  # a warm-up, then the mean of all until the rate is reached
        learner.update(_batch())
        average = [
            (1.0 - share) * old + share * new.detach()
            for old, new in zip(average, learner.policy.parameters(), strict=True)
        ]
    acting = list(learner.actor_network.policy.parameters())
    assert all(torch.allclose(mine, theirs, atol=1e-6) for mine, theirs in zip(average, acting, strict=True))
    assert not torch.equal(acting[0], next(iter(learner.policy.parameters())))
    other = create("sac", {**CONFIG, "average_rate": rate}, SPEC, seed=1)
    other.load_state(learner.state())
    assert torch.equal(next(iter(other.actor_network.policy.parameters())), acting[0])


def test_average_begins_at_the_policy_of_a_checkpoint_without_one() -> None:
    old = create("sac", CONFIG, SPEC, seed=0)
    for _ in range(3):
        old.update(_batch())
    learner = create("sac", {**CONFIG, "average_rate": 0.1}, SPEC, seed=1)
    learner.load_state(old.state())
    acting = learner.actor_network.state_dict()
    assert all(torch.equal(tensor, acting[name]) for name, tensor in old.actor_network.state_dict().items())


def test_newest_policy_acts_unless_an_average_is_asked_for() -> None:
    learner = create("sac", CONFIG, SPEC, seed=0)
    assert learner.actor_network.policy is learner.policy
