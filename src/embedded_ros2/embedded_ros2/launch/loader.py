"""Turns a YAML launch file of ``launch_ros`` into processes to run. Actions are performed in order, as by ros2 launch.

What ``launch_ros`` has and this has not is refused with its place in the file; nothing is ignored.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded_ros2.launch.entities import Entity, read_launch_file
from embedded_ros2.launch.errors import LaunchError
from embedded_ros2.launch.processes import make_executable, make_node
from embedded_ros2.launch.specification import DeclaredArgument, Launch, ProcessSpec
from embedded_ros2.launch.state import State

MAX_INCLUDE_DEPTH = 32
"""Deeper nesting can only be a file that includes itself."""


def load(
    path: str | Path, arguments: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> list[ProcessSpec]:
    """Returns the processes of a launch file.

    :param arguments: values of launch arguments by name.
    :param environment: what the processes start with; ``os.environ`` when None.
    :raises LaunchError: when the file is wrong, or an argument is missing or not declared.
    """
    given = dict(arguments or {})
    expansion = _expand(Path(path), given, environment)
    unknown = [name for name in given if name not in expansion.arguments]
    if unknown:
        known = ", ".join(expansion.arguments) or "none"
        raise LaunchError(f"unknown launch arguments {', '.join(unknown)}; '{path}' declares {known}")
    return expansion.processes


def declared_arguments(path: str | Path) -> list[DeclaredArgument]:
    """Returns the launch arguments of a file and of those that it includes, in order.

    Conditions are decided with the defaults; an argument without one counts as empty.

    :raises LaunchError: when the file is wrong.
    """
    return list(_expand(Path(path), {}, None, only_arguments=True).arguments.values())


def _expand(
    path: Path, given: dict[str, str], environment: Mapping[str, str] | None, *, only_arguments: bool = False
) -> Launch:
    variables = dict(os.environ if environment is None else environment)
    loader = _Loader(State(dict(given), variables, path.resolve().parent), only_arguments=only_arguments)
    loader.run(read_launch_file(path))
    return loader.launch


@dataclass(slots=True)
class _Loader:
    """Performs actions: changes the state and collects processes."""

    state: State
    only_arguments: bool = False
    launch: Launch = field(default_factory=Launch)
    include_depth: int = 0
    start_delay_s: float = 0.0

    def run(self, parent: Entity) -> None:
        for entity in parent.children():
            self._perform(entity)

    def _perform(self, entity: Entity) -> None:
        action = _ACTIONS.get(entity.type_name)
        if action is None:
            known = ", ".join(sorted(_ACTIONS))
            raise LaunchError(
                f"unknown or unsupported action '{entity.type_name}', supported are {known}", entity.place
            )
        if self.state.condition_holds(entity):
            action(self, entity)
            entity.check_complete()

    def _arg(self, entity: Entity) -> None:
        name = self.state.required(entity, "name")
        default = self.state.optional(entity, "default")
        description = self.state.optional(entity, "description") or ""
        choices = tuple(self._choice(choice) for choice in entity.items("choice"))
        self.launch.arguments.setdefault(name, DeclaredArgument(name, default, description, choices))
        if name not in self.state.variables:
            if default is None and not self.only_arguments:
                text = f": {description}" if description else ""
                raise entity.error(f"launch argument '{name}' is required{text}; give {name}:=VALUE")
            self.state.variables[name] = default or ""
        value = self.state.variables[name]
        if choices and value not in choices and not self.only_arguments:
            raise entity.error(f"launch argument '{name}' is '{value}', allowed are {', '.join(choices)}")

    def _choice(self, entity: Entity) -> str:
        value = self.state.required(entity, "value")
        entity.check_complete()
        return value

    def _let(self, entity: Entity) -> None:
        self.state.variables[self.state.required(entity, "name")] = self.state.required(entity, "value")

    def _set_env(self, entity: Entity) -> None:
        self.state.environment[self.state.required(entity, "name")] = self.state.required(entity, "value")

    def _unset_env(self, entity: Entity) -> None:
        self.state.environment.pop(self.state.required(entity, "name"), None)

    def _push_ros_namespace(self, entity: Entity) -> None:
        self.state.namespace = self.state.joined_namespace(self.state.required(entity, "namespace"))

    def _group(self, entity: Entity) -> None:
        is_scoped = True
        if isinstance(entity.content, dict):
            is_scoped = self.state.flag(entity, "scoped", default=True)
        before = self.state
        if is_scoped:
            self.state = before.copy()
        try:
            self.run(entity)
        finally:
            self.state = before

    def _include(self, entity: Entity) -> None:
        path = Path(self.state.required(entity, "file"))
        if self.include_depth >= MAX_INCLUDE_DEPTH:
            raise entity.error(f"'{path}' includes itself")
        if not path.is_absolute():
            raise entity.error(f"file '{path}' must be an absolute path: write $(dirname)/{path}")
        for argument in entity.items("arg"):
            self.state.variables[self.state.required(argument, "name")] = self.state.required(argument, "value")
            argument.check_complete()
        directory, self.state.directory = self.state.directory, path.parent
        self.include_depth += 1
        try:
            self.run(read_launch_file(path))
        finally:
            self.state.directory = directory
            self.include_depth -= 1

    def _timer(self, entity: Entity) -> None:
        before_s = self.start_delay_s
        self.start_delay_s += self.state.seconds(entity, "period")
        try:
            self.run(entity)
        finally:
            self.start_delay_s = before_s

    def _node(self, entity: Entity) -> None:
        self._add(entity, make_node)

    def _executable(self, entity: Entity) -> None:
        self._add(entity, make_executable)

    def _add(self, entity: Entity, make: Callable[[Entity, State], ProcessSpec]) -> None:
        if self.only_arguments:
            entity.take_all()
            return
        process = make(entity, self.state)
        number = len(self.launch.processes) + 1
        named = dataclasses.replace(process, name=f"{process.name}-{number}", start_delay_s=self.start_delay_s)
        self.launch.processes.append(named)


_ACTIONS: dict[str, Callable[[_Loader, Entity], None]] = {
    "arg": _Loader._arg,
    "let": _Loader._let,
    "set_env": _Loader._set_env,
    "unset_env": _Loader._unset_env,
    "push_ros_namespace": _Loader._push_ros_namespace,
    "push-ros-namespace": _Loader._push_ros_namespace,
    "group": _Loader._group,
    "include": _Loader._include,
    "timer": _Loader._timer,
    "node": _Loader._node,
    "executable": _Loader._executable,
}
