"""Parameter values and parameter files in YAML, read as rcl's parser reads them.

rcl knows booleans, integers, floating point numbers, strings and homogeneous lists of them. Unlike PyYAML's
defaults, ``1e-3`` is a number and neither dates nor ``12:30`` are anything but strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PARAMETERS_KEY = "ros__parameters"
ANY_NODE = "/**"


class ParameterYamlError(ValueError):
    """A parameter value or file cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class ParameterOverride:
    """``name`` gets ``value`` in every node whose fully qualified name matches ``pattern``."""

    pattern: str
    name: str
    value: Any


class _Loader(yaml.SafeLoader):
    """YAML with the scalar types that parameters have."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's attribute)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0x[0-9a-fA-F]+|[0-9]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_BOOLEANS = {"y": True, "n": False, **yaml.SafeLoader.bool_values}


def _construct_bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    return _BOOLEANS[loader.construct_scalar(node).lower()]


_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)


def load_value(text: str) -> Any:
    """Reads one value as given by ``-p name:=text``.

    :raises ParameterYamlError: when it is no boolean, number, string or homogeneous list of one of these.
    """
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ParameterYamlError(f"'{text}' is not valid YAML: {error}") from error
    _check_value(value, f"'{text}'")
    return value


def load_file(path: str | Path) -> list[ParameterOverride]:
    """Reads a parameter file: node names (with ``*`` and ``**``) above ``ros__parameters``.

    :raises ParameterYamlError: when the file is missing or is not such a file.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ParameterYamlError(f"cannot open parameter file '{path}': {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ParameterYamlError(f"parameter file '{path}' is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ParameterYamlError(f"parameter file '{path}' must map node names to '{PARAMETERS_KEY}'")
    return list(_walk_nodes(content, "", str(path)))


def _walk_nodes(content: dict[Any, Any], prefix: str, path: str) -> Iterator[ParameterOverride]:
    for key, below in content.items():
        pattern = f"{prefix}/{str(key).strip('/')}"
        if not isinstance(below, dict):
            raise ParameterYamlError(f"parameter file '{path}': '{PARAMETERS_KEY}' is missing below '{pattern}'")
        for inner, values in below.items():
            if inner != PARAMETERS_KEY:
                yield from _walk_nodes({inner: values}, pattern, path)
                continue
            if not isinstance(values, dict):
                raise ParameterYamlError(f"parameter file '{path}': no parameters below '{pattern}'")
            for name, value in flatten(values):
                _check_value(value, f"parameter '{name}' of '{pattern}' in '{path}'")
                yield ParameterOverride(pattern, name, value)


def flatten(values: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted names and values of nested dictionaries."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def _check_value(value: Any, where: str) -> None:
    if isinstance(value, bool | int | float | str):
        return
    if isinstance(value, list):
        types = {type(item) for item in value}
        if len(types) <= 1 and types <= {bool, int, float, str}:
            return
        raise ParameterYamlError(f"{where}: all items of a list must be of one type: bool, int, float or str")
    raise ParameterYamlError(f"{where} must be a bool, int, float, str or a list of these, not {value!r}")


def matches(pattern: str, fully_qualified_node_name: str) -> bool:
    """Whether ``/ns/*`` (one name) or ``/ns/**`` (any number of names) covers the node."""
    expression = re.escape(pattern).replace(r"/\*\*", r"(/\w+)*").replace(r"/\*", r"/\w+")
    return re.fullmatch(expression, fully_qualified_node_name) is not None
