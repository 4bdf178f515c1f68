"""DDPG with demonstrations: its losses and its update against an independent derivation, and planted bugs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import written_out
from torch import Tensor
from written_out import ACTOR_RATE, CLONING_BUGS, CRITIC_BUGS, CRITIC_RATE, SPEC, Step, random_batch

from tenon.algorithms import create, ddpg_her, losses, parse_config
from tenon.algorithms.ddpg_her import DDPGHER, DDPGHERConfig, cloning_loss, value_loss
from tenon.algorithms.losses import passes_filter
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec, GoalSpec, Observation, ObservationSpec

CONFIG: dict[str, Any] = {
    **written_out.CONFIG,
    "encoder": {"standardize_state": False},
    "target_update_every": 1,
    "return_range": (-0.8, 0.7),
    "value_weight": 0.5,
    "action_penalty": 0.3,
}


def _gradient(loss: Tensor, inputs: list[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, inputs, retain_graph=True)])


def _written_out(learner: DDPGHER, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What one update gives by the formulas of demos-her.md section 2, in float64, with torch's own Adam."""
    tensors = written_out.tensors_of(learner, "policy", "critic", "target_policy", "target_critic")
    s, a, s2 = written_out.in_float64(batch)
    following = written_out.action_of(tensors, "target_policy", s2)
    (next_value,) = written_out.q(tensors, "target_critic", s2, following, members=1)
    y = torch.tensor(
        [min(max(float(x), -0.8), 0.7) for x in written_out.target(batch, next_value)], dtype=torch.float64
    )

    (of_data,) = written_out.q(tensors, "critic", s, a, members=1)
    of_critic = ((of_data - y) ** 2).mean()
    pi = written_out.action_of(tensors, "policy", s)
    (of_policy,) = written_out.q(tensors, "critic", s, pi, members=1)
    of_value = 0.5 * (-of_policy.mean() + 0.3 * (pi**2).mean())
    passed = [i for i in range(0, 16, 2) if learner.config.cloning == "plain" or of_data[i] > of_policy[i]]
    if learner.config.cloning == "off":
        passed = []
    of_cloning = sum((((pi[i] - a[i]) ** 2).sum() / 8 for i in passed), start=0.0 * pi.sum())
    pulls = [float(_gradient(loss, [pi]).norm()) for loss in (of_value, of_cloning)]
    steps = [Step(of_critic, "critic", CRITIC_RATE), Step(of_value + of_cloning, "policy", ACTOR_RATE)]
    norms = written_out.take(steps, tensors)
    return tensors, {
        "critic_loss": of_critic.item(),
        "critic_gradient_norm": norms[0],
        "target_mean": float(y.mean()),
        "actor_loss": (of_value + of_cloning).item(),
        "actor_gradient_norm": norms[1],
        "cloning_loss": of_cloning.item(),
        "value_pull": pulls[0],
        "cloning_pull": pulls[1],
        "filter_pass_share": len(passed) / 8,
    }


def check_update(cloning: str = "filtered") -> None:
    """One update moves every parameter to where the written-out formulas move it."""
    learner = create("ddpg_her", {**CONFIG, "cloning": cloning}, SPEC, seed=3)
    assert isinstance(learner, DDPGHER)
    batch = random_batch()
    written_out.assert_update(learner, batch, *_written_out(learner, batch))


@pytest.mark.parametrize("cloning", ["filtered", "plain", "off"])
def test_update_is_that_of_the_written_out_formulas(cloning: str) -> None:
    check_update(cloning)


def _flipped_value(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    return values.mean() + action_penalty * action.square().mean()


def _flipped_penalty(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    return value_loss(values, action, -action_penalty)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("value_loss", _flipped_value),
        ("value_loss", _flipped_penalty),
        *CLONING_BUGS,
        *CRITIC_BUGS,
    ],
)
def test_check_notices_a_planted_bug(name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ddpg_her, name, bug)
    with pytest.raises(AssertionError):
        check_update()


def test_check_notices_a_flipped_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "passes_filter", written_out.flipped_filter)
    with pytest.raises(AssertionError):
        check_update()


def test_losses_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    values, pi, a = rng.normal(size=5), rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    penalty = sum(pi[i, j] ** 2 for i in range(5) for j in range(2)) / 10
    own = value_loss(torch.tensor(values), torch.tensor(pi), 0.7)
    assert float(own) == pytest.approx(-sum(values) / 5 + 0.7 * penalty)
    cloned = [True, False, False, True, False]
    total = sum((pi[i, j] - a[i, j]) ** 2 for i in range(5) if cloned[i] for j in range(2))
    own = cloning_loss(torch.tensor(pi), torch.tensor(a), torch.tensor(cloned), torch.tensor(3.0))
    assert float(own) == pytest.approx(total / 3)


def test_filter_passes_what_a_planted_critic_prefers_and_the_rest_has_no_gradient_at_all() -> None:
    """Planted: Q(s, a) = -|a - s|^2, for which the best action is the state itself."""
    generator = torch.Generator().manual_seed(0)
    state, demonstrated = (torch.randn(40, 2, generator=generator) for _ in range(2))
    chosen = torch.randn(40, 2, generator=generator, requires_grad=True)

    def planted(action: Tensor) -> Tensor:
        return -(action - state).square().sum(dim=1)

    mask = passes_filter(planted(demonstrated), planted(chosen.detach()))
    for i in range(40):
        near = float((demonstrated[i] - state[i]).norm()) < float((chosen.detach()[i] - state[i]).norm())
        assert bool(mask[i]) == near
    assert 5 < int(mask.sum()) < 35
    cloning_loss(chosen, demonstrated, mask, torch.tensor(40.0)).backward()
    assert chosen.grad is not None
    assert torch.equal(chosen.grad[~mask], torch.zeros_like(chosen.grad[~mask]))
    torch.testing.assert_close(chosen.grad[mask], (chosen.detach() - demonstrated)[mask] / 20)


def test_without_demonstrations_nothing_is_cloned() -> None:
    batch = dataclasses.replace(random_batch(), prior=torch.zeros(16, dtype=torch.bool))
    for cloning in ("filtered", "plain"):
        metrics = create("ddpg_her", {**CONFIG, "cloning": cloning}, SPEC, seed=0).update(batch).as_dict()
        assert (metrics["cloning_loss"], metrics["cloning_pull"], metrics["filter_pass_share"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("reward", "parts", "low", "high"),
    [("miss_penalty", 1, -10.0, 0.0), ("all_reached", 1, 0.0, 10.0), ("per_part", 3, -10.0, 20.0)],
)
def test_targets_stay_within_the_returns_of_the_goal(reward: Any, parts: int, low: float, high: float) -> None:
    goal = GoalSpec(size=3, parts=parts, tolerance=0.1, reward=reward)
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=goal), action_size=2)
    learner = create("ddpg_her", {**CONFIG, "return_range": None}, spec, seed=0)
    for value in (-100.0, 100.0):
        batch = dataclasses.replace(random_batch(), reward=torch.full((16,), value))
        target = learner.update(batch).as_dict()["target_mean"]
        assert target == pytest.approx(low if value < 0 else high)


def test_without_goal_and_range_targets_are_free() -> None:
    learner = create("ddpg_her", {**CONFIG, "return_range": None}, SPEC, seed=0)
    batch = dataclasses.replace(random_batch(), reward=torch.full((16,), 50.0))
    assert learner.update(batch).as_dict()["target_mean"] > 40.0


def test_empty_range_of_returns_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="return_range"):
        parse_config("ddpg_her", {"return_range": [0.0, -50.0]})


def test_targets_move_every_so_many_updates_and_the_rest_always() -> None:
    learner = create("ddpg_her", {**CONFIG, "target_update_every": 3}, SPEC, seed=0)
    states = [learner.state().tensors]
    for _ in range(3):
        learner.update(random_batch())
        states.append(learner.state().tensors)
    for name in ("target_policy.network.weights.0", "target_critic.network.weights.0"):
        assert torch.equal(states[0][name], states[2][name])
        assert not torch.equal(states[2][name], states[3][name])
    for name in ("policy.network.weights.0", "critic.network.weights.0"):
        assert not torch.equal(states[1][name], states[2][name])


@pytest.mark.parametrize(("acting", "of"), [("averaged", "target_policy"), ("newest", "policy")])
def test_the_average_of_the_last_policies_acts_unless_asked_otherwise(acting: str, of: str) -> None:
    learner = create("ddpg_her", {**CONFIG, "acting": acting}, SPEC, seed=0)
    assert DDPGHERConfig().acting == "averaged"
    before = learner.actor_network.state_dict()["policy.network.weights.0"].clone()
    for _ in range(3):
        learner.update(random_batch())
    acts, state = learner.actor_network.state_dict(), learner.state().tensors
    assert not torch.equal(state["policy.network.weights.0"], state["target_policy.network.weights.0"])
    assert torch.equal(acts["policy.network.weights.0"], state[f"{of}.network.weights.0"])
    assert not torch.equal(acts["policy.network.weights.0"], before)


def test_warmup_trains_the_critic_and_leaves_the_actor() -> None:
    learner = create("ddpg_her", {**CONFIG, "critic_warmup_updates": 2}, SPEC, seed=0)
    written_out.assert_warmup_leaves_the_actor(learner, 2)


def test_a_tenth_of_the_exploring_actions_is_uniform_and_the_others_are_near_the_policy() -> None:
    learner = create("ddpg_her", {**CONFIG, "last_layer_scale": 0.01}, SPEC, seed=0)
    observation = Observation(np.zeros(3, dtype=np.float32))
    greedy = learner.act(observation, deterministic=True)
    actions = np.array([learner.act(observation, deterministic=False) for _ in range(2000)])
    far = np.abs(actions - greedy).max(axis=1) > 0.5  # 5 standard deviations; 3/4 of the uniform ones are there
    assert far.mean() == pytest.approx(0.1 * 0.75, abs=0.02)
    assert (actions - greedy)[~far].std() == pytest.approx(0.1, abs=0.01)


def test_states_are_standardised_unless_asked_otherwise() -> None:
    assert DDPGHERConfig().encoder.standardize_state
