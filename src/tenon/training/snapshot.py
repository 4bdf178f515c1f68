"""A policy with its encoder on its way from a trainer to a robot: weights as safetensors, and what they are of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.torch

from tenon.algorithms import Algorithm, StateError, method_named, parse_config
from tenon.algorithms.actor import Actor
from tenon.algorithms.base import check_tensors
from tenon.algorithms.randomness import derived_seed
from tenon.configuration import ConfigurationError, parse
from tenon.data.transitions import EnvironmentSpec

_FORMAT = 2
_MANIFEST_KEYS = {"format", "method", "version", "seed", "config", "spec"}


class SnapshotError(ValueError):
    """Weights that cannot be used. The policy in use, if there is one, stays."""


@dataclass(frozen=True)
class PolicySnapshot:
    """What ``tenon_msgs/msg/PolicyWeights`` carries.

    version: gradient steps that led to it. manifest: JSON with configuration and sizes. weights: safetensors.
    """

    version: int
    method: str
    manifest: str
    weights: bytes


def take_snapshot(learner: Algorithm[Any, Any]) -> PolicySnapshot:
    """The learner's encoder and policy as they act now."""
    manifest = {
        "format": _FORMAT,
        "method": learner.name,
        "version": learner.updates,
        "seed": learner.seed,
        "config": learner.config.model_dump(mode="json"),
        "spec": learner.spec.model_dump(mode="json"),
    }
    weights = {name: tensor.cpu().clone() for name, tensor in learner.actor_network.state_dict().items()}
    return PolicySnapshot(
        version=learner.updates,
        method=learner.name,
        manifest=json.dumps(manifest, sort_keys=True),
        weights=safetensors.torch.save(weights),
    )


def load_actor(
    snapshot: PolicySnapshot, *, spec: EnvironmentSpec | None = None, rng: np.random.Generator | None = None
) -> Actor:
    """The actor of a snapshot: encoder and policy alone, on the CPU.

    spec: what the robot's task has; a snapshot of another is refused. rng: exploration draws from it; without one, from
    a stream that the snapshot's seed and version determine. Raises SnapshotError.
    """
    manifest = _read_manifest(snapshot)
    try:
        config = parse_config(manifest["method"], manifest["config"], where="policy manifest: config")
        own_spec = parse(EnvironmentSpec, manifest["spec"], where="policy manifest: spec")
        network = method_named(manifest["method"]).learner.build_actor_network(config, own_spec)
        weights = safetensors.torch.load(snapshot.weights)
        check_tensors(weights, network.state_dict())
    except (ConfigurationError, StateError, safetensors.SafetensorError, TypeError) as error:
        raise SnapshotError(f"policy weights, version {snapshot.version}: {error}") from error
    if spec is not None and spec != own_spec:
        raise SnapshotError(
            f"policy weights, version {snapshot.version}, are for {own_spec!r}, this task has {spec!r}: start trainer "
            f"and policy with the same task"
        )
    network.load_state_dict(weights)
    network.requires_grad_(False)
    if rng is None:
        rng = np.random.default_rng(derived_seed(int(manifest["seed"]), "act", snapshot.version))
    return Actor(network, own_spec, rng)


def _read_manifest(snapshot: PolicySnapshot) -> dict[str, Any]:
    where = f"policy weights, version {snapshot.version}: manifest"
    try:
        manifest = json.loads(snapshot.manifest)
    except ValueError as error:
        raise SnapshotError(f"{where} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or set(manifest) != _MANIFEST_KEYS:
        raise SnapshotError(f"{where} must have the keys {sorted(_MANIFEST_KEYS)}: {snapshot.manifest[:200]}")
    if manifest["format"] != _FORMAT:
        raise SnapshotError(f"{where} has format {manifest['format']}, this version reads format {_FORMAT}")
    if (manifest["method"], manifest["version"]) != (snapshot.method, snapshot.version):
        raise SnapshotError(
            f"{where} is of {manifest['method']!r}, version {manifest['version']}; the message says {snapshot.method!r}"
        )
    return manifest
