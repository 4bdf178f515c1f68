"""Checkpoints: a folder with ``manifest.json`` and ``tensors.safetensors``. No pickle.

A checkpoint is written beside, synced and renamed, so that it is there as a whole or not at all; the manifest carries
the hashes of the tensors and of itself, so that a cut-off or altered file is refused.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from tenon.data.mapped_array import sync_folder

_log = logging.getLogger(__name__)

_FORMAT = 1
MANIFEST = "manifest.json"
_TENSORS = "tensors.safetensors"
_NAME = re.compile(r"update-(\d{12})")
# Of generators: torch's state is a tensor of bytes, stored among the tensors under this prefix.
_GENERATOR_PREFIX = "generator."


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read. The message says which file, and what to do."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint that was cut off or altered."""


class OtherCheckpointError(CheckpointError):
    """A whole checkpoint, but of another method or of other sizes."""


@dataclass(frozen=True)
class Checkpoint:
    """What goes to disk and comes back exactly.

    method, config, spec: what the tensors belong to. counters: whole numbers by name. values: further JSON values.
    numpy_generators: ``bit_generator.state`` by name; torch_generators: ``get_state()`` by name.
    """

    method: str
    config: dict[str, Any]
    spec: dict[str, Any]
    counters: dict[str, int]
    tensors: dict[str, Tensor]
    values: dict[str, Any] = field(default_factory=dict)
    numpy_generators: dict[str, dict[str, Any]] = field(default_factory=dict)
    torch_generators: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class _Manifest:
    format: int
    method: str
    config: dict[str, Any]
    spec: dict[str, Any]
    counters: dict[str, int]
    values: dict[str, Any]
    numpy_generators: dict[str, dict[str, Any]]
    torch_version: str
    tensors_bytes: int
    tensors_sha256: str
    manifest_sha256: str = ""

    def sealed(self) -> bytes:
        """The JSON with its own hash filled in."""
        return _to_json({**asdict(self), "manifest_sha256": self.own_hash()})

    def own_hash(self) -> str:
        return hashlib.sha256(_to_json({**asdict(self), "manifest_sha256": ""})).hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes ``checkpoint`` as the folder ``path``, which must not exist. Raises CheckpointError, leaving nothing."""
    generators = {_GENERATOR_PREFIX + name: state for name, state in checkpoint.torch_generators.items()}
    tensors = safetensors.torch.save({**checkpoint.tensors, **generators})
    manifest = _Manifest(
        format=_FORMAT,
        method=checkpoint.method,
        config=checkpoint.config,
        spec=checkpoint.spec,
        counters=checkpoint.counters,
        values=checkpoint.values,
        numpy_generators=checkpoint.numpy_generators,
        torch_version=torch.__version__,
        tensors_bytes=len(tensors),
        tensors_sha256=hashlib.sha256(tensors).hexdigest(),
    )
    beside = path.with_name(path.name + ".new")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        _write_synced(beside / _TENSORS, tensors)
        _write_synced(beside / MANIFEST, manifest.sealed())
        sync_folder(beside)
        beside.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise CheckpointError(f"{path}: cannot be written: {error}. Earlier checkpoints are untouched") from error


def load_checkpoint(path: Path, *, method: str | None = None, spec: Mapping[str, Any] | None = None) -> Checkpoint:
    """Reads and verifies a checkpoint; with ``method`` and ``spec``, refuses those of others.

    Raises DamagedCheckpointError or OtherCheckpointError.
    """
    manifest = _read_manifest(path / MANIFEST)
    if method is not None and manifest.method != method:
        raise OtherCheckpointError(
            f"{path}: is a checkpoint of {manifest.method!r}, {method!r} is asked for: choose its method"
        )
    if spec is not None and manifest.spec != dict(spec):
        raise OtherCheckpointError(
            f"{path}: was learnt with {manifest.spec}, this task has {dict(spec)}: choose the same task"
        )
    tensors = _read_tensors(path / _TENSORS, manifest)
    generators = {name: state for name, state in tensors.items() if name.startswith(_GENERATOR_PREFIX)}
    return Checkpoint(
        method=manifest.method,
        config=manifest.config,
        spec=manifest.spec,
        counters=manifest.counters,
        tensors={name: tensor for name, tensor in tensors.items() if name not in generators},
        values=manifest.values,
        numpy_generators=manifest.numpy_generators,
        torch_generators={name.removeprefix(_GENERATOR_PREFIX): state for name, state in generators.items()},
    )


class CheckpointFolder:
    """The checkpoints of one training, by number of updates. The newest ``keep`` stay."""

    def __init__(self, directory: Path, *, keep: int = 2):
        self._directory = directory
        self._keep = keep

    def updates(self) -> list[int]:
        """Numbers of the checkpoints that are there, oldest first."""
        if not self._directory.is_dir():
            return []
        matches = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(match.group(1)) for match in matches if match)

    def path(self, updates: int) -> Path:
        return self._directory / f"update-{updates:012d}"

    def save(self, updates: int, checkpoint: Checkpoint) -> Path:
        """Writes the checkpoint unless it is there whole, then removes those older than the newest ``keep``."""
        path = self.path(updates)
        if path.exists() and not _is_whole(path):
            shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            save_checkpoint(path, checkpoint)
        for old in self.updates()[: -self._keep]:
            shutil.rmtree(self.path(old), ignore_errors=True)
        return path

    def load_newest(self, *, method: str, spec: Mapping[str, Any]) -> Checkpoint | None:
        """The newest whole checkpoint; None where there is none at all. A damaged one is reported and passed over.

        Raises DamagedCheckpointError when all are damaged, OtherCheckpointError when the newest is of another task.
        """
        damages = []
        for updates in reversed(self.updates()):
            try:
                return load_checkpoint(self.path(updates), method=method, spec=spec)
            except DamagedCheckpointError as error:
                _log.warning("%s; going back to the checkpoint before it", error)
                damages.append(str(error))
        if damages:
            raise DamagedCheckpointError("no checkpoint can be used: " + "; ".join(damages))
        return None


def _is_whole(path: Path) -> bool:
    try:
        load_checkpoint(path)
    except DamagedCheckpointError:
        return False
    return True


def _read_manifest(path: Path) -> _Manifest:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DamagedCheckpointError(
            f"{path.parent}: no checkpoint is here ({path.name} is missing): name a training's folder, or take an "
            f"earlier checkpoint"
        ) from error
    except OSError as error:
        raise DamagedCheckpointError(f"{path}: cannot be read: {error}. Take an earlier checkpoint") from error
    try:
        data = json.loads(content)
        if data.get("format") != _FORMAT:
            raise OtherCheckpointError(f"{path}: has format {data.get('format')}, this version reads format {_FORMAT}")
        manifest = _Manifest(**data)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedCheckpointError(f"{path}: is cut off or altered: {error}. Take an earlier checkpoint") from error
    if manifest.own_hash() != manifest.manifest_sha256:
        raise DamagedCheckpointError(f"{path}: does not have the hash it was written with. Take an earlier checkpoint")
    return manifest


def _read_tensors(path: Path, manifest: _Manifest) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedCheckpointError(f"{path}: cannot be read: {error}. Take an earlier checkpoint") from error
    if len(content) != manifest.tensors_bytes:
        raise DamagedCheckpointError(
            f"{path}: has {len(content)} bytes, {manifest.tensors_bytes} were written: it was cut off. Take an earlier "
            f"checkpoint"
        )
    if hashlib.sha256(content).hexdigest() != manifest.tensors_sha256:
        raise DamagedCheckpointError(f"{path}: does not have the hash it was written with. Take an earlier checkpoint")
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise DamagedCheckpointError(f"{path}: is no safetensors file: {error}. Take an earlier checkpoint") from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _to_json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False).encode()
