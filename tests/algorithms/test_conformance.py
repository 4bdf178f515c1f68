"""What every method must do, whatever it learns. A new method passes by standing in METHODS."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import (
    METHODS,
    Algorithm,
    DivergenceError,
    StateError,
    compiled,
    create,
    method_named,
    parse_config,
)
from tenon.algorithms.base import ActorCriticConfig
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, GoalSpec, ImageSpec, Observation, ObservationSpec, TransitionError
from tenon.training.snapshot import load_actor, take_snapshot


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of observation, and the encoder that goes with it."""

    spec: EnvironmentSpec
    encoder: dict[str, Any]


def _task(encoder: dict[str, Any], **observation: Any) -> Task:
    return Task(EnvironmentSpec(observation=ObservationSpec(**observation), action_size=2), encoder)


TASKS = {
    "state": _task({}, state_size=3),
    "goal": _task(
        {"standardize_state": True},
        state_size=5,
        goal=GoalSpec(size=2, tolerance=0.1, reward="miss_penalty"),
    ),
    "pixels": _task({}, state_size=2, state_scale=(0.001, 1.0), image=ImageSpec(height=4, width=4, channels=1)),
    "image": _task(
        {"image": "conv", "channels": [4, 4], "strides": [2, 1], "embedding_size": 6, "standardize_state": True},
        state_size=2,
        image=ImageSpec(height=12, width=10, channels=3),
    ),
}
STATE = TASKS["state"]
SMALL = {"hidden_sizes": [16, 16], "actor_learning_rate": 1e-3}
# Convolutions that fit the small pictures of these tasks.
TINY = {"channels": [4], "specific_channels": [4], "kernels_px": [3], "strides_px": [2], "dense_size": 8}
OWN = {
    # So that four updates reach every network.
    "ddpg_her": {"target_update_every": 2},
    "iql_daib": {"bottleneck": TINY, "critic_variant": "no-kl"},
    "sac": {"average_rate": 0.1},
}

pytestmark = pytest.mark.parametrize("name", sorted(METHODS))
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def _learner(name: str, task: Task = STATE, *, seed: int = 0, **overrides: Any) -> Algorithm[Any, Any]:
    config = {**SMALL, **OWN.get(name, {}), "encoder": task.encoder, **overrides}
    return create(name, config, task.spec, seed)


def _batch(seed: int = 0, task: Task = STATE, size: int = 12) -> Batch:
    rng = np.random.default_rng(seed)
    spec = task.spec

    def observation() -> ObservationBatch:
        state = torch.tensor(rng.normal(size=(size, spec.observation.state_size)), dtype=torch.float32)
        image = spec.observation.image
        pixels = None if image is None else torch.tensor(rng.integers(0, 256, (size, *image.shape)), dtype=torch.uint8)
        return ObservationBatch(state, pixels)

    return Batch(
        observation=observation(),
        action=torch.tensor(rng.uniform(-1, 1, (size, spec.action_size)), dtype=torch.float32),
        reward=torch.tensor(rng.normal(size=size), dtype=torch.float32),
        next_observation=observation(),
        terminated=torch.tensor(rng.integers(0, 2, size), dtype=torch.float32),
        number=torch.arange(100, 100 + size),
        prior=torch.tensor(rng.integers(0, 2, size), dtype=torch.bool),
        steps=torch.tensor(rng.integers(1, 4, size), dtype=torch.float32),
        session=torch.tensor(rng.integers(0, 3, size)),
    )


def _observation(seed: int = 0, task: Task = STATE) -> Observation:
    batch = _batch(seed, task).observation
    return Observation(batch.state[0].numpy(), None if batch.image is None else batch.image[0].numpy())


def _has_critic(name: str) -> bool:
    return issubclass(method_named(name).config, ActorCriticConfig)


def _same(a: Algorithm[Any, Any], b: Algorithm[Any, Any]) -> bool:
    left, right = a.state(), b.state()
    same = all(torch.equal(left.tensors[key], right.tensors[key]) for key in left.tensors)
    return same and dataclasses.replace(left, tensors={}) == dataclasses.replace(right, tensors={})


def test_config_survives_json(name: str) -> None:
    config = parse_config(name, SMALL)
    assert type(config).model_validate_json(config.model_dump_json()) == config


@every_task
def test_one_graph_does_the_same_updates(name: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it becomes machine code, which rounds as it likes, the graph is the update, bit for bit."""
    monkeypatch.setattr(compiled, "machine_code", lambda graph, device: graph)
    monkeypatch.setattr(compiled, "REWRITTEN", {})
    phases = {"cloning_updates": 2} if name == "sac" else {}
    written, traced = (_learner(name, task, **phases) for _ in range(2))
    if not isinstance(traced, GradientAlgorithm):
        with pytest.raises(ConfigurationError, match=f"{name} cannot be compiled, those of awac, bc,"):
            create(name, traced.config.model_dump(), task.spec, 0, compiled=True)
        return
    traced.compile()
    for update in range(5):
        # The last batch is smaller, and has no n-step rewards: a graph of its own.
        batch = dataclasses.replace(_batch(update, task, size=9), steps=None) if update == 4 else _batch(update, task)
        seen, told = written.update(batch).as_dict(), traced.update(batch).as_dict()
        assert told == seen
        if update == 2:  # graphs go on with weights that were read anew
            traced.load_state(_learner(name, task, seed=1, **phases).state())
            traced.load_state(written.state())
    assert _same(written, traced)


def test_every_field_of_the_config_is_documented(name: str) -> None:
    fields = method_named(name).config.model_fields
    assert [key for key, field in fields.items() if not field.description and key != "name"] == []


def test_unknown_key_is_refused_with_the_right_one(name: str) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'discount'"):
        create(name, {"discuont": 0.9}, STATE.spec, seed=0)


@every_task
def test_update_changes_every_network_and_counts(name: str, task: Task) -> None:
    learner = _learner(name, task)
    before = learner.state().tensors
    for number in range(1, 5):
        metrics = learner.update(_batch(number, task))
        assert learner.updates == number
        assert all(np.isfinite(value) for value in metrics.as_dict().values())
    after = learner.state().tensors
    learnt = [key for key in before if "weight" in key or key.startswith("encoder.standardizer")]
    assert [key for key in learnt if torch.equal(before[key], after[key])] == []


def test_update_leaves_the_batch_as_it_was(name: str) -> None:
    for task in TASKS.values():
        batch, same = _batch(0, task), _batch(0, task)
        _learner(name, task).update(batch)
        for seen, kept in zip(_contents(batch), _contents(same), strict=True):
            assert torch.equal(seen, kept)


def _contents(batch: Batch) -> list[Tensor]:
    images = [observation.image for observation in (batch.observation, batch.next_observation)]
    return [*(tensor for _, tensor in batch.named_tensors()), *(image for image in images if image is not None)]


@every_task
def test_same_seed_gives_the_same_learner(name: str, task: Task) -> None:
    a, b, other = _learner(name, task), _learner(name, task), _learner(name, task, seed=1)
    for network in {key.split(".")[0] for key in a.state().tensors if "weight" in key}:
        first = next(key for key in a.state().tensors if key.startswith(f"{network}.") and "weight" in key)
        assert not torch.equal(a.state().tensors[first], other.state().tensors[first])
    for number in range(4):
        a.update(_batch(number, task))
        torch.rand(3)  # other users of torch's global generator do not matter
        b.update(_batch(number, task))
    assert _same(a, b)


@every_task
def test_state_resumes_exactly(name: str, task: Task) -> None:
    uninterrupted = _learner(name, task)
    for number in range(3):
        uninterrupted.update(_batch(number, task))
        uninterrupted.act(_observation(0, task), deterministic=False)
    resumed = _learner(name, task, seed=5)
    resumed.load_state(uninterrupted.state())
    for number in range(3, 7):
        uninterrupted.update(_batch(number, task))
        resumed.update(_batch(number, task))
    assert _same(uninterrupted, resumed)
    actions = [learner.act(_observation(0, task), deterministic=False) for learner in (uninterrupted, resumed)]
    np.testing.assert_array_equal(*actions)


def test_state_is_a_copy(name: str) -> None:
    learner = _learner(name)
    state = learner.state()
    kept = {key: tensor.clone() for key, tensor in state.tensors.items()}
    learner.update(_batch())
    assert all(torch.equal(kept[key], state.tensors[key]) for key in kept)


@pytest.mark.parametrize("change", ["method", "spec", "sizes", "missing", "nan"])
def test_state_of_another_is_refused_and_nothing_changes(name: str, change: str) -> None:
    learner = _learner(name)
    state = _learner(name, seed=1).state()
    tensors = dict(state.tensors)
    if change == "method":
        state = dataclasses.replace(state, method="other")
    elif change == "spec":
        state = _learner(name, TASKS["pixels"]).state()
    elif change == "sizes":
        state = _learner(name, hidden_sizes=[8, 16]).state()
    elif change == "missing":
        del tensors["policy.network.weights.1"]
        state = dataclasses.replace(state, tensors=tensors)
    else:
        tensors["policy.network.weights.1"] = torch.full_like(tensors["policy.network.weights.1"], torch.nan)
        state = dataclasses.replace(state, tensors=tensors)
    with pytest.raises(StateError):
        learner.load_state(state)
    assert _same(learner, _learner(name))


def test_act_is_deterministic_when_asked_and_explores_else(name: str) -> None:
    learner = _learner(name)
    greedy = [learner.act(_observation(), deterministic=True) for _ in range(3)]
    exploring = [learner.act(_observation(), deterministic=False) for _ in range(3)]
    np.testing.assert_array_equal(greedy[0], greedy[2])
    assert not np.array_equal(exploring[0], exploring[1])
    for action in (*greedy, *exploring):
        assert action.dtype == np.float32
        assert action.shape == (2,)
        assert np.abs(action).max() <= 1.0


def test_act_refuses_what_is_no_observation(name: str) -> None:
    learner = _learner(name)
    with pytest.raises(TransitionError, match="shape"):
        learner.act(Observation(np.zeros(4, dtype=np.float32)), deterministic=True)
    with pytest.raises(TransitionError, match="finite"):
        learner.act(Observation(np.array([0, np.nan, 0], dtype=np.float32)), deterministic=True)


@every_task
def test_exported_actor_gives_the_same_action(name: str, task: Task) -> None:
    learner = _learner(name, task)
    for number in range(4):
        learner.update(_batch(number, task))
    exported = load_actor(take_snapshot(learner), rng=np.random.default_rng(3))
    live = learner.actor(np.random.default_rng(3))
    for seed in range(5):
        observation = _observation(seed, task)
        for deterministic in (True, False):
            np.testing.assert_array_equal(
                exported.act(observation, deterministic=deterministic),
                live.act(observation, deterministic=deterministic),
            )


@every_task
@pytest.mark.parametrize("field", ["state", "action", "reward", "next_state"])
def test_nan_in_a_batch_is_named_and_changes_nothing(name: str, field: str, task: Task) -> None:
    if field in {"reward", "next_state"} and not _has_critic(name):
        pytest.skip("a method without values reads no reward and no next state")
    learner, untouched = _learner(name, task), _learner(name, task)
    batch = _batch(0, task)
    dict(batch.named_tensors())[field].view(len(batch), -1)[4, 0] = torch.nan
    with pytest.raises(DivergenceError, match=rf"{field} is not finite in 1 of 12 .* transition 104"):
        learner.update(batch)
    assert _same(learner, untouched)


@every_task
def test_diverged_loss_is_refused_and_changes_nothing(name: str, task: Task) -> None:
    learner, untouched = _learner(name, task), _learner(name, task)
    batch = _batch(0, task)
    batch.reward.fill_(3e38)
    batch.action.fill_(3e38)  # what a method without values reads
    with pytest.raises(DivergenceError, match="diverged"):
        learner.update(batch)
    assert _same(learner, untouched)
    learner.update(_batch(0, task))
    untouched.update(_batch(0, task))
    assert _same(learner, untouched)
