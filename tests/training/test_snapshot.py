"""Policies on their way to the robot."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tenon.algorithms import Algorithm, create
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec
from tenon.training.snapshot import PolicySnapshot, SnapshotError, load_actor, take_snapshot

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3, state_scale=(0.001, 1.0, 5.0)), action_size=2)
OBSERVATION = Observation(np.array([0.002, -1.0, 3.0], dtype=np.float32))


def _learner() -> Algorithm[Any, Any]:
    return create("sac", {"hidden_sizes": [8], "last_layer_scale": 1.0}, SPEC, seed=2)


def test_actor_acts_as_the_learner_did_when_the_snapshot_was_taken() -> None:
    learner = _learner()
    expected = learner.act(OBSERVATION, deterministic=True)
    snapshot = take_snapshot(learner)
    with torch.no_grad():
        for parameter in learner.policy.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(load_actor(snapshot).act(OBSERVATION, deterministic=True), expected)


def test_snapshot_holds_encoder_and_policy_alone() -> None:
    snapshot = take_snapshot(_learner())
    names = safetensors.torch.load(snapshot.weights).keys()
    assert names == {f"policy.network.{kind}.{layer}" for kind in ("weights", "biases") for layer in (0, 1)}
    assert (snapshot.version, snapshot.method) == (0, "sac")


def test_exploration_is_that_of_the_generator_handed_in() -> None:
    snapshot = take_snapshot(_learner())

    def explore(seed: int) -> list[float]:
        actor = load_actor(snapshot, rng=np.random.default_rng(seed))
        return [float(actor.act(OBSERVATION, deterministic=False)[0]) for _ in range(4)]

    assert explore(1) == explore(1)
    assert explore(1) != explore(2)
    assert len(set(explore(1))) == 4


def _with_manifest(snapshot: PolicySnapshot, **changes: Any) -> PolicySnapshot:
    return dataclasses.replace(snapshot, manifest=json.dumps({**json.loads(snapshot.manifest), **changes}))


def _with_weights(snapshot: PolicySnapshot, value: float, shape: tuple[int, ...]) -> PolicySnapshot:
    weights = safetensors.torch.load(snapshot.weights)
    weights["policy.network.biases.1"] = torch.full(shape, value)
    return dataclasses.replace(snapshot, weights=safetensors.torch.save(weights))


def test_snapshots_that_cannot_be_trusted_are_refused() -> None:
    snapshot = take_snapshot(_learner())
    cases = {
        "is not JSON": dataclasses.replace(snapshot, manifest="{"),
        "must have the keys": _with_manifest(snapshot, extra=1),
        "format 99": _with_manifest(snapshot, format=99),
        "the message says": dataclasses.replace(snapshot, method="td3"),
        "version 5": _with_manifest(snapshot, version=5),
        "unknown key": _with_manifest(snapshot, config={"nonsense": 1}),
        "hidden_sizes": _with_manifest(snapshot, config={"hidden_sizes": [9]}),
        "policy weights, version 0": dataclasses.replace(snapshot, weights=snapshot.weights[:-20]),
        "not finite": _with_weights(snapshot, float("nan"), (4,)),
        r"shape \(5,\)": _with_weights(snapshot, 0.0, (5,)),
    }
    for message, bad in cases.items():
        with pytest.raises(SnapshotError, match=message):
            load_actor(bad)


def test_snapshot_of_another_task_is_refused() -> None:
    other = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=2)
    snapshot = take_snapshot(_learner())
    load_actor(snapshot, spec=SPEC)
    with pytest.raises(SnapshotError, match="start trainer and policy with the same task"):
        load_actor(snapshot, spec=other)
