"""IQL's losses and its update against an independent derivation, and bugs that these checks must notice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import written_out
from torch import Tensor
from written_out import ACTOR_RATE, CRITIC_BUGS, CRITIC_RATE, SPEC, Step, random_batch

from tenon.algorithms import create, iql
from tenon.algorithms.iql import IQL, cosine_factor, expectile_loss
from tenon.algorithms.losses import critic_loss, exponential_weights
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec, GoalSpec, ObservationSpec

CONFIG: dict[str, Any] = {
    **written_out.CONFIG,
    "initial_std": 0.4,
    "expectile": 0.8,
    "inverse_temperature": 2.0,
    "weight_cap": 0.6,
    "value_maximum": 0.1,
}


def _written_out(learner: IQL, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What one update gives by the formulas of iql.md 2.2, in float64, with torch's own Adam: shares no code."""
    tensors = written_out.tensors_of(learner, "policy", "critic", "value", "target_critic")
    s, a, s2 = written_out.in_float64(batch)

    v = written_out.mlp(tensors, "value", s)[:, 0]
    u = torch.minimum(*written_out.q(tensors, "target_critic", s, a)).detach() - v
    of_value = torch.stack([(0.8 if x > 0 else 0.2) * x**2 for x in u]).mean()
    y = written_out.target(batch, written_out.mlp(tensors, "value", s2)[:, 0].detach())
    of_critic = torch.stack([((values - y) ** 2).mean() for values in written_out.q(tensors, "critic", s, a)]).sum()
    weight = torch.tensor([min(math.exp(2.0 * float(x)), 0.6) for x in u.detach()], dtype=torch.float64)
    std = (-5.0 + 7.0 / (1 + (-tensors["policy.squashed_log_std"]).exp())).exp()
    normal = torch.distributions.Normal(written_out.action_of(tensors, "policy", s), std)
    of_actor = -(weight * normal.log_prob(a).sum(dim=1)).mean()
    steps = [Step(of_critic + of_value, ("critic", "value"), CRITIC_RATE), Step(of_actor, "policy", ACTOR_RATE)]
    norms = written_out.take(steps, tensors)
    return tensors, {
        "value_loss": of_value.item(),
        "critic_loss": of_critic.item(),
        "critic_gradient_norm": norms[0],
        "value_mean": float(v.detach().mean()),
        "target_mean": float(y.mean()),
        "impossible_share": float((v > 0.1).sum()) / 16,
        "actor_loss": of_actor.item(),
        "actor_gradient_norm": norms[1],
        "weight_mean": float(weight.mean()),
        "weight_max": float(weight.max()),
        "capped_share": float((weight == 0.6).sum()) / 16,
    }


def check_update() -> None:
    """One update of IQL moves every parameter to where the written-out formulas move it."""
    learner = create("iql", CONFIG, SPEC, seed=3)
    assert isinstance(learner, IQL)
    batch = random_batch()
    written_out.assert_update(learner, batch, *_written_out(learner, batch))


def test_update_is_that_of_the_written_out_formulas() -> None:
    check_update()


def _flipped_expectile(difference: Tensor, expectile: float) -> Tensor:
    return expectile_loss(difference, 1.0 - expectile)


def _descending_expectile(difference: Tensor, expectile: float) -> Tensor:
    return -expectile_loss(difference, expectile)


def _mean_instead(difference: Tensor, expectile: float) -> Tensor:
    return difference.square().mean()


def _flipped_weights(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    return exponential_weights(-advantage, inverse_temperature, cap)


def _uncapped_weights(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    return exponential_weights(advantage, inverse_temperature, math.inf)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("expectile_loss", _flipped_expectile),
        ("expectile_loss", _descending_expectile),
        ("expectile_loss", _mean_instead),
        ("exponential_weights", _flipped_weights),
        ("exponential_weights", _uncapped_weights),
        ("weighted_likelihood_loss", written_out.flipped_likelihood),
        ("weighted_likelihood_loss", written_out.unweighted_likelihood),
        *CRITIC_BUGS,
    ],
)
def test_check_notices_a_planted_bug(name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iql, name, bug)
    with pytest.raises(AssertionError):
        check_update()


@pytest.mark.parametrize("expectile", [0.5, 0.7, 0.95])
def test_expectile_loss_is_that_of_a_loop(expectile: float) -> None:
    difference = np.random.default_rng(0).normal(size=9)
    total = sum(abs(expectile - (1.0 if u < 0 else 0.0)) * u * u for u in difference)
    assert float(expectile_loss(torch.tensor(difference), expectile)) == pytest.approx(total / 9)


def test_expectile_of_a_half_is_half_the_squared_error() -> None:
    difference = torch.randn(20, generator=torch.Generator().manual_seed(0))
    assert float(expectile_loss(difference, 0.5)) == pytest.approx(0.5 * float(difference.square().mean()))


@pytest.mark.parametrize(("expectile", "expected"), [(0.5, 0.0), (0.7, 0.337), (0.9, 0.862), (0.95, 1.140)])
def test_gradient_descent_finds_the_expectiles_of_a_normal_variable(expectile: float, expected: float) -> None:
    samples = torch.randn(100, 1000, generator=torch.Generator().manual_seed(0))
    estimate = torch.zeros((), requires_grad=True)
    for epoch in range(3):
        for batch in samples:
            (gradient,) = torch.autograd.grad(expectile_loss(batch - estimate, expectile), estimate)
            with torch.no_grad():
                estimate -= (0.5, 0.1, 0.02)[epoch] / expectile * gradient
    assert float(estimate.detach()) == pytest.approx(expected, abs=0.02)


def test_weights_stop_at_the_cap() -> None:
    metrics = create("iql", {**CONFIG, "inverse_temperature": 1e4}, SPEC, seed=0).update(random_batch()).as_dict()
    assert metrics["weight_max"] == pytest.approx(0.6)
    assert 0.0 < metrics["capped_share"] < 1.0


def test_values_do_not_depend_on_the_policy() -> None:
    one, other = (create("iql", {**CONFIG, "initial_std": std}, SPEC, seed=0) for std in (0.4, 1.5))
    with torch.no_grad():
        other.policy.network.weights[0].add_(1.0)
    for number in range(3):
        one.update(random_batch(number))
        other.update(random_batch(number))
    mine, theirs = one.state().tensors, other.state().tensors
    for name in mine:
        assert torch.equal(mine[name], theirs[name]) == ("policy" not in name), name


def test_values_have_no_gradient_for_the_policy() -> None:
    learner = create("iql", {**CONFIG, "critic_warmup_updates": 10, "inverse_temperature": 0.0}, SPEC, seed=0)
    assert isinstance(learner, IQL)
    features = learner.encoder(random_batch().observation)
    loss = learner.value(features).sum() + learner.critic(features, random_batch().action).sum()
    assert torch.autograd.grad(loss, list(learner.policy.parameters()), allow_unused=True) == (None,) * len(
        list(learner.policy.parameters())
    )


def test_no_action_is_judged_but_those_of_the_data() -> None:
    learner = create("iql", CONFIG, SPEC, seed=0)
    assert isinstance(learner, IQL)
    judged: list[Tensor] = []
    for network in (learner.critic, learner.target_critic):
        network.register_forward_pre_hook(lambda _, inputs: judged.append(inputs[1]))
    batch = random_batch()
    learner.update(batch)
    assert len(judged) == 2
    assert all(torch.equal(action, batch.action) for action in judged)


def test_learning_rate_falls_as_a_cosine_and_is_constant_afterwards() -> None:
    assert [cosine_factor(step, 4) for step in range(6)] == pytest.approx(
        [1.0, 0.5 * (1 + math.sqrt(0.5)), 0.5, 0.5 * (1 - math.sqrt(0.5)), 1.0, 1.0]
    )
    learner, constant = (
        create("iql", {**CONFIG, "cosine_updates": 4}, SPEC, seed=0),
        create("iql", CONFIG, SPEC, seed=0),
    )
    moved = []
    for _ in range(6):
        sizes = []
        for own in (learner, constant):
            own.policy.load_state_dict(create("iql", CONFIG, SPEC, seed=0).policy.state_dict())
            before = own.state().tensors["policy.network.weights.0"]
            own.update(random_batch())
            sizes.append(float((own.state().tensors["policy.network.weights.0"] - before).norm()))
        moved.append(sizes[0] / sizes[1])
    assert moved == pytest.approx([cosine_factor(step, 4) for step in range(6)], rel=1e-3)


def test_alarm_counts_states_worth_more_than_possible() -> None:
    goal = GoalSpec(size=1, tolerance=0.1, reward="miss_penalty")
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=goal), action_size=2)
    learner = create("iql", {**CONFIG, "value_maximum": None}, spec, seed=0)
    assert isinstance(learner, IQL)
    for bias, share in ((-9.0, 0.0), (9.0, 1.0)):
        with torch.no_grad():
            learner.value.network.last_bias.fill_(bias)
        assert learner.update(random_batch()).as_dict()["impossible_share"] == share


def test_no_alarm_where_no_bound_is_known() -> None:
    learner = create("iql", {**CONFIG, "value_maximum": None}, SPEC, seed=0)
    assert learner.update(random_batch()).as_dict()["impossible_share"] == 0.0


def test_warmup_trains_the_values_and_leaves_the_actor() -> None:
    learner = create("iql", {**CONFIG, "critic_warmup_updates": 2}, SPEC, seed=0)
    written_out.assert_warmup_leaves_the_actor(learner, 2, trained="value")


def test_time_running_out_is_no_end() -> None:
    learner = create("iql", {**CONFIG, "weight_cap": 100.0}, SPEC, seed=0)
    batch = dataclasses.replace(random_batch(), terminated=torch.zeros(16))
    ended = dataclasses.replace(batch, terminated=torch.ones(16))
    assert isinstance(learner, IQL)
    with torch.no_grad():
        learner.value.network.last_bias.fill_(10.0)
    state = learner.state()
    bootstrapped = learner.update(batch).as_dict()["target_mean"]
    learner.load_state(state)
    assert learner.update(ended).as_dict()["target_mean"] == pytest.approx(float(batch.reward.mean()), abs=1e-6)
    assert bootstrapped > 6.0


# A U of 11 cells: 10 on entering the last one, a quarter of the moves ends anywhere. iql.md sections 4 and 8.
CELLS = [(0, 3), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (4, 3)]
MOVES = [(1, 0), (-1, 0), (0, 1), (0, -1)]
GOAL, SLIP, MAZE_DISCOUNT, EPISODE_STEPS = 10, 0.25, 0.9, 30


def _next_cell(cell: int, move: int) -> int:
    aim = (CELLS[cell][0] + MOVES[move][0], CELLS[cell][1] + MOVES[move][1])
    return CELLS.index(aim) if aim in CELLS else cell


NEXT = np.array([[_next_cell(cell, move) for move in range(4)] for cell in range(11)])


def _maze_optimum() -> tuple[np.ndarray, np.ndarray]:
    """V* (11,) and Q* (11, 4) by value iteration."""
    values = np.zeros(11)
    for _ in range(200):
        worth = np.where(np.arange(11) == GOAL, 10.0, MAZE_DISCOUNT * values)
        q = (1 - SLIP) * worth[NEXT] + SLIP * worth.mean()
        values = q.max(axis=1)
    return values, q


def _maze_data(rng: np.random.Generator, q: np.ndarray) -> list[tuple[int, int, int]]:
    """(cell, move, next cell) of one optimal and 99 random episodes."""
    rows = []
    for episode in range(100):
        cell = 0
        for _ in range(EPISODE_STEPS):
            move = int(q[cell].argmax()) if episode == 0 else int(rng.integers(4))
            following = int(rng.integers(11)) if rng.random() < SLIP else int(NEXT[cell, move])
            rows.append((cell, move, following))
            cell = following
            if cell == GOAL:
                break
    return rows


def _maze_values(rows: np.ndarray, expectile: float) -> np.ndarray:
    """V (mazes, 11) of tables fitted by IQL's two losses. rows (n, 4): maze, cell, move, next cell."""
    maze, cell, move, following = torch.as_tensor(rows).T
    mazes = int(maze.max()) + 1
    v, q = torch.zeros(mazes, 11, requires_grad=True), torch.zeros(mazes, 11, 4, requires_grad=True)
    terminated = (following == GOAL).to(torch.float32)
    optimizer = torch.optim.Adam([v, q], lr=0.1)
    for _ in range(500):
        target = 10.0 * terminated + MAZE_DISCOUNT * (1.0 - terminated) * v.detach()[maze, following]
        loss = critic_loss(q[maze, cell, move][None], target)
        loss = loss + expectile_loss(q.detach()[maze, cell, move] - v[maze, cell], expectile)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return v.detach().numpy()


@pytest.mark.learning
def test_a_high_expectile_finds_the_optimal_values_of_a_maze_where_the_mean_does_not() -> None:
    optimum, q = _maze_optimum()
    rows = np.array([(k, *row) for k in range(10) for row in _maze_data(np.random.default_rng(k), q)])

    def correlation(expectile: float) -> float:
        values = _maze_values(rows, expectile)[:, :GOAL]
        return float(np.mean([np.corrcoef(own, optimum[:GOAL])[0, 1] for own in values]))

    best, mean = correlation(0.95), correlation(0.5)
    assert best >= 0.97
    assert best >= mean + 0.05
