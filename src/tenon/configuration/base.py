"""Strict YAML: each configuration of Tenon is a frozen pydantic model, each mistake in a file names its remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from yaml.composer import ComposerError

Location = tuple[int | str, ...]

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
    data = load_yaml(path)
    return parse(model, data, where=str(path) if data else f"{path}: the file is empty")


def differences(seen: Config, own: Config) -> str:
    """The leaves in which two models differ, as ``key = seen (asked for: own)``."""
    return differing_leaves(seen.model_dump(mode="json"), own.model_dump(mode="json"))


def differing_leaves(seen: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The same of two configurations as JSON has them, which may be of other versions of a model."""

    def leaves(data: object, prefix: str = "") -> dict[str, object]:
        if isinstance(data, dict):
            return {k: v for key, value in data.items() for k, v in leaves(value, f"{prefix}{key}.").items()}
        return {prefix.rstrip("."): data}

    a, b = leaves(seen), leaves(own)
    keys = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
    return ", ".join(f"{key} = {a.get(key)!r} (asked for: {b.get(key)!r})" for key in keys)


def _describe(error: ValidationError, model: type[BaseModel], where: str) -> str:
    items = error.errors()
    # a tuple without its bad items is too short: that says nothing new
    inner = [item["loc"] for item in items]
    items = [i for i in items if i["type"] != "too_short" or not any(_inside(loc, i["loc"]) for loc in inner)]
    lines = []
    for item in items:
        location = ".".join(str(part) for part in item["loc"])
        place = f"{where}: {location}" if location else where
        lines.append(f"{place}: {_reason(item, model)}")
    return "\n".join(lines)


def _reason(item: ErrorDetails, model: type[BaseModel]) -> str:
    kind, location, seen = item["type"], item["loc"], item.get("input")
    if kind == "extra_forbidden":
        allowed = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown key. Allowed here: {', '.join(allowed)}{hint}"
    if kind == "missing":
        return "is missing"
    if kind == "union_tag_not_found":
        return f"{item['ctx']['discriminator']} is missing: one of {', '.join(map(repr, _tags_at(model, location)))}"
    if kind in ("model_type", "model_attributes_type"):
        return f"a mapping is needed, with the keys {', '.join(_keys_at(model, location))} (got {seen!r})"
    # What is wrong between several keys is said by the message; their whole mapping would only hide it.
    got = "" if isinstance(seen, dict) else f" (got {seen!r})"
    return f"{item['msg'].removeprefix('Value error, ').replace('Tuple', 'List')}{got}{_unit(item)}"


def _unit(item: ErrorDetails) -> str:
    """What a number beyond a limit was probably meant in."""
    key, seen = str(item["loc"][-1]) if item["loc"] else "", item.get("input")
    if not item["type"].startswith(("less_than", "greater_than")) or not isinstance(seen, int | float):
        return ""
    if key.endswith("_rad"):
        return f"; angles are in radians: {seen:g} degrees are {math.radians(seen):.4g}"
    if key.endswith("_m") and item["type"].startswith("less_than"):
        return "; lengths are in metres, 12 mm is 0.012"
    return ""


def _inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys of the model there; of a union's members, before its tag is known, all keys."""
    return list(dict.fromkeys(key for one in _models_at(model, location) for key in one.model_fields))


def _tags_at(model: type[BaseModel], location: Location) -> list[str]:
    return [tag for one in _models_at(model, location) for tag in _tags(one)]


def _models_at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    """What may stand there: pydantic's location holds the keys, and after a union's key the tag of its member."""
    current = [model]
    for part in location:
        tagged = [one for one in current if part in _tags(one)] if len(current) > 1 else []
        fields = [one.model_fields[part] for one in current if isinstance(part, str) and part in one.model_fields]
        if tagged:
            current = tagged
        elif fields:
            current = [inner for field in fields for inner in _models_of(field.annotation)]
    return current


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """The values of a key that has one word as its type, as a union's members tell themselves apart."""
    words = (get_args(field.annotation) for field in model.model_fields.values() if _is_word(field.annotation))
    return tuple(word for given in words if len(given) == 1 for word in given)


def _is_word(annotation: Any) -> bool:
    return get_origin(annotation) is Literal


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_of(argument)]
