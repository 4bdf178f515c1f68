"""TD3's losses and its update against an independent derivation, and bugs that these checks must notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import written_out
from torch import Tensor
from written_out import ACTOR_RATE, CLONING_BUGS, CRITIC_BUGS, CRITIC_RATE, SPEC, Step, random_batch

from tenon.algorithms import create, losses, td3
from tenon.algorithms.randomness import derived_seed
from tenon.algorithms.td3 import TD3, actor_loss
from tenon.data.batch import Batch

CONFIG: dict[str, Any] = {**written_out.CONFIG, "target_noise_std": 0.6, "policy_delay": 1, "action_penalty": 0.3}


def _written_out(learner: TD3, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What one update gives by the formulas of residual-rl.md 2.6, in float64, with torch's own Adam."""
    tensors = written_out.tensors_of(learner, "policy", "critic", "target_policy", "target_critic")
    noise_seed = derived_seed(learner.seed, "update", learner.updates + 1)
    noise = torch.randn(1, 16, 2, generator=torch.Generator().manual_seed(noise_seed))[0].to(torch.float64)
    s, a, s2 = written_out.in_float64(batch)
    following = written_out.action_of(tensors, "target_policy", s2) + torch.clamp(0.6 * noise, -0.5, 0.5)
    next_values = written_out.q(tensors, "target_critic", s2, torch.clamp(following, -1, 1))
    y = written_out.target(batch, torch.minimum(*next_values))

    of_data = written_out.q(tensors, "critic", s, a)
    of_critic = torch.stack([((values - y) ** 2).mean() for values in of_data]).sum()
    pi = written_out.action_of(tensors, "policy", s)
    of_policy = written_out.q(tensors, "critic", s, pi)[0]
    of_actor = learner.config.value_weight * (0.3 * (pi**2).mean() - of_policy.mean())
    if learner.config.cloning != "off":
        demonstrations = [i for i in range(16) if batch.prior[i]]
        for i in demonstrations:
            if learner.config.cloning == "plain" or of_data[0][i] > of_policy[i]:
                of_actor = of_actor + ((pi[i] - a[i]) ** 2).sum() / len(demonstrations)
    steps = [Step(of_critic, "critic", CRITIC_RATE), Step(of_actor, "policy", ACTOR_RATE)]
    norms = written_out.take(steps, tensors)
    return tensors, {
        "critic_loss": of_critic.item(),
        "actor_loss": of_actor.item(),
        "target_mean": float(y.mean()),
        "critic_gradient_norm": norms[0],
        "actor_gradient_norm": norms[1],
    }


def check_update(**overrides: Any) -> None:
    """One update of TD3 moves every parameter to where the written-out formulas move it."""
    learner = create("td3", {**CONFIG, **overrides}, SPEC, seed=3)
    assert isinstance(learner, TD3)
    batch = random_batch()
    written_out.assert_update(learner, batch, *_written_out(learner, batch))


def test_update_is_that_of_the_written_out_formulas() -> None:
    check_update()


@pytest.mark.parametrize("cloning", ["plain", "filtered"])
def test_update_with_demonstrations_is_that_of_the_written_out_formulas(cloning: str) -> None:
    check_update(cloning=cloning, value_weight=0.2)


def test_filter_lets_some_demonstrations_through_and_not_all() -> None:
    """Else the check above would say nothing about it."""
    clones = {}
    for cloning in ("off", "plain", "filtered"):
        learner = create("td3", {**CONFIG, "cloning": cloning}, SPEC, seed=3)
        clones[cloning] = learner.update(random_batch()).as_dict()["cloning_loss"]
    assert clones["off"] == 0.0 < clones["filtered"] < clones["plain"]


def test_batch_without_demonstrations_clones_nothing() -> None:
    learner = create("td3", {**CONFIG, "cloning": "plain"}, SPEC, seed=3)
    batch = dataclasses.replace(random_batch(), prior=torch.zeros(16, dtype=torch.bool))
    assert learner.update(batch).as_dict()["cloning_loss"] == 0.0


def _flipped_actor(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    return values[0].mean() + action_penalty * action.square().mean()


def _scaled_actor(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    return action_penalty * action.square().mean() - values[-1].mean() * 1.1


def _flipped_penalty(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    return actor_loss(values, action, -action_penalty)


def _flipped_noise(action: Tensor, noise: Tensor, std: float, clip: float) -> Tensor:
    return (action - (std * noise).clamp(-clip, clip)).clamp(-1.0, 1.0)


def _unclipped_noise(action: Tensor, noise: Tensor, std: float, clip: float) -> Tensor:
    return (action + std * noise).clamp(-1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("actor_loss", _flipped_actor),
        ("actor_loss", _scaled_actor),
        ("actor_loss", _flipped_penalty),
        *CRITIC_BUGS,
        ("smoothed_action", _flipped_noise),
        ("smoothed_action", _unclipped_noise),
    ],
)
def test_check_notices_a_planted_bug(name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td3, name, bug)
    with pytest.raises(AssertionError):
        check_update()


@pytest.mark.parametrize(("name", "bug"), CLONING_BUGS)
def test_check_notices_a_bug_planted_in_cloning(
    name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(td3, name, bug)
    with pytest.raises(AssertionError):
        check_update(cloning="filtered", value_weight=0.2)


def test_check_notices_a_flipped_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "passes_filter", written_out.flipped_filter)
    with pytest.raises(AssertionError):
        check_update(cloning="filtered", value_weight=0.2)


def test_actor_and_targets_move_every_second_update() -> None:
    learner = create("td3", {**CONFIG, "policy_delay": 2}, SPEC, seed=0)
    states = [learner.state().tensors]
    for _ in range(2):
        learner.update(random_batch())
        states.append(learner.state().tensors)
    for name in ("policy.network.weights.0", "target_policy.network.weights.0", "target_critic.network.weights.0"):
        assert torch.equal(states[0][name], states[1][name])
        assert not torch.equal(states[1][name], states[2][name])
    assert not torch.equal(states[0]["critic.network.weights.0"], states[1]["critic.network.weights.0"])


def test_warmup_trains_the_critic_and_leaves_the_actor() -> None:
    learner = create("td3", {**CONFIG, "critic_warmup_updates": 3}, SPEC, seed=0)
    written_out.assert_warmup_leaves_the_actor(learner, 3)
