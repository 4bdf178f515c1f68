"""Strict YAML: each configuration of Tenon is a frozen pydantic model, each mistake in a file names its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from yaml.composer import ComposerError

MERGE_TAG = "tag:yaml.org,2002:merge"


class ConfigurationError(ValueError):
    """A configuration that cannot be used. The message says where, what was seen, what is allowed."""


class Config(BaseModel):
    """Base of all configuration models: frozen, unknown keys refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, where YAML readers silently take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE_TAG:
                continue
            line = key.start_mark.line + 1
            first = lines.get((key.tag, key.value))
            if first is not None:
                raise ComposerError(
                    problem=f"key {key.value!r} stands in line {first} and again in line {line}: keep one of them"
                )
            lines[key.tag, key.value] = line
        return node


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping. Raises ConfigurationError when it is missing, malformed or not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.stem, siblings, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(siblings) or "none"
        raise ConfigurationError(f"{path}: no such file. {path.parent} has: {listed}{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    try:
        data = yaml.load(text, Loader=_OnceLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}: the top level is a {type(data).__name__}, a mapping of keys is needed")
    return data


def parse(model: type[ConfigT], data: Mapping[str, Any], *, where: str) -> ConfigT:
    """Validates ``data`` as ``model``. ``where`` (a file, a flag) opens each line of the error."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigurationError(_describe(error, model, where)) from error


def load(model: type[ConfigT], path: Path) -> ConfigT:
    """Reads and validates a YAML file. Raises ConfigurationError."""
    return parse(model, load_yaml(path), where=str(path))


def differences(seen: Config, own: Config) -> str:
    """The leaves in which two models differ, as ``key = seen (asked for: own)``."""

    def leaves(data: object, prefix: str = "") -> dict[str, object]:
        if isinstance(data, dict):
            return {k: v for key, value in data.items() for k, v in leaves(value, f"{prefix}{key}.").items()}
        return {prefix.rstrip("."): data}

    a, b = leaves(seen.model_dump(mode="json")), leaves(own.model_dump(mode="json"))
    keys = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
    return ", ".join(f"{key} = {a.get(key)!r} (asked for: {b.get(key)!r})" for key in keys)


def _describe(error: ValidationError, model: type[BaseModel], where: str) -> str:
    lines = []
    for item in error.errors():
        location = ".".join(str(part) for part in item["loc"])
        place = f"{where}: {location}" if location else where
        if item["type"] == "extra_forbidden":
            allowed = _keys_at(model, item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), allowed, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{place}: unknown key. Allowed here: {', '.join(allowed)}{hint}")
        elif item["type"] == "missing":
            lines.append(f"{place}: is missing")
        else:
            # What is wrong between several keys is said by the message; their whole mapping would only hide it.
            seen = "" if isinstance(item.get("input"), dict) else f" (got {item.get('input')!r})"
            lines.append(f"{place}: {item['msg'].removeprefix('Value error, ')}{seen}")
    return "\n".join(lines)


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", {})
        if part in fields:
            current = _model_of(fields[part].annotation, current)
    return list(getattr(current, "model_fields", {}))


def _model_of(annotation: Any, default: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_of(argument, None)
        if found is not None:
            return found
    return default
