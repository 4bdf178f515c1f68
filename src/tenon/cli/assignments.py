"""`--set key.of.a.key=value`: single changes to a configuration that was read from a file."""

from __future__ import annotations

from typing import Any

import yaml

from tenon.cli.errors import UsageError


def assign(data: dict[str, Any], assignment: str) -> None:
    """Sets one ``key.of.a.key=value``, the value as YAML has it. Raises UsageError."""
    path, separator, text = assignment.partition("=")
    *parents, key = path.split(".")
    if not separator or not key:
        raise UsageError(f"--set {assignment}: key=value is needed, for example algorithm.discount=0.95")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {assignment}: {text!r} is not valid YAML: {error}") from error
    # YAML 1.1 takes 1e-4 for a word.
    if isinstance(value, str):
        value = _number_or(value)
    for parent in parents:
        data[parent] = dict(data.get(parent) or {})
        data = data[parent]
    data[key] = value


def _number_or(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
