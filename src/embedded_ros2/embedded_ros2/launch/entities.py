"""Launch files as YAML with places: every mapping knows its line, every key is checked against what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from embedded_ros2.launch.errors import LaunchError, Place

ROOT_KEY = "launch"


class _Mapping(dict[str, Any]):
    """A YAML mapping that knows its line."""

    line: int = 0


class _Loader(yaml.SafeLoader):
    """YAML whose mappings know their lines and have no key twice."""


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[_Mapping]:
    mapping = _Mapping()
    mapping.line = node.start_mark.line + 1
    yield mapping
    keys = [loader.construct_object(key) for key, _ in node.value]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise yaml.MarkedYAMLError(
                problem=f"key '{key}' is there twice", problem_mark=node.value[index][0].start_mark
            )
    mapping.update({str(key): value for key, value in loader.construct_mapping(node, deep=True).items()})


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


class Entity:
    """One action, or one item of an action's lists, in a launch file.

    Keys are taken with the methods below; ``check_complete`` then refuses those that nobody took.
    """

    def __init__(self, type_name: str, content: Any, place: Place) -> None:
        self.type_name = type_name
        self.content = content
        self.place = place
        self._taken: set[str] = set()

    def error(self, message: str) -> LaunchError:
        return LaunchError(f"{self.type_name}: {message}", self.place)

    def _get(self, key: str) -> Any:
        if not isinstance(self.content, dict):
            raise self.error(f"a mapping with the key '{key}' is needed, not {self.content!r}")
        self._taken.add(key)
        return self.content.get(key)

    def text(self, key: str) -> str | None:
        """Takes a text, None when it is missing. Like ``ros2 launch``, it refuses YAML numbers and booleans."""
        value = self._get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(f"'{key}' must be a text, not {value!r}: quote it, as ros2 launch needs it too")
        return value

    def required_text(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.error(f"'{key}' is missing")
        return value

    def scalar(self, key: str) -> str | None:
        """Takes a text, number or boolean as text, None when it is missing."""
        value = self._get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return str(value)
        raise self.error(f"'{key}' must be a text, number or boolean, not {value!r}")

    def value(self, key: str) -> Any:
        """Takes whatever stands there."""
        return self._get(key)

    def items(self, key: str) -> list[Entity]:
        """Takes a list of mappings; empty when it is missing."""
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(f"'{key}' must be a list of mappings, not {value!r}")
        return [Entity(f"{self.type_name}.{key}", item, self._place_of(item)) for item in value]

    def children(self) -> list[Entity]:
        """Takes the actions of a list, or of the key 'children' of a mapping."""
        listed = self._get("children") if isinstance(self.content, dict) else self.content
        if not isinstance(listed, list):
            raise self.error(f"a list of actions, or a mapping with 'children', is needed, not {self.content!r}")
        return [self._child(item) for item in listed]

    def _child(self, item: Any) -> Entity:
        if not isinstance(item, dict) or len(item) != 1:
            raise self.error(f"an action is a mapping with one key, its name, not {item!r}")
        ((name, content),) = item.items()
        return Entity(str(name), content, self._place_of(item))

    def _place_of(self, item: Any) -> Place:
        return Place(self.place.file, getattr(item, "line", self.place.line))

    def take_all(self) -> None:
        """Takes all keys, where only a part of the file is of interest."""
        if isinstance(self.content, dict):
            self._taken.update(self.content)

    def check_complete(self) -> None:
        """:raises LaunchError: when there are keys that were not taken."""
        if isinstance(self.content, dict):
            unknown = [str(key) for key in self.content if key not in self._taken]
            if unknown:
                raise self.error(f"unknown keys {', '.join(unknown)}, known are {', '.join(sorted(self._taken))}")


def read_launch_file(path: Path) -> Entity:
    """Returns the root of a launch file; its children are the actions.

    :raises LaunchError: when it cannot be read or is no launch file.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise LaunchError(f"cannot read launch file '{path}': {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise LaunchError(f"no valid YAML: {error.problem}", Place(path, line)) from error
    root = Entity(ROOT_KEY, content, Place(path, 1))
    if not isinstance(content, dict) or list(content) != [ROOT_KEY]:
        raise LaunchError(f"a launch file is a mapping with the one key '{ROOT_KEY}'", root.place)
    return Entity(ROOT_KEY, content[ROOT_KEY], root.place)
