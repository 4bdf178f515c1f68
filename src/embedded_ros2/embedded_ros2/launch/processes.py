"""The actions ``node`` and ``executable``: from their keys to a command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import yaml

from embedded_ros2 import ament
from embedded_ros2.launch.entities import Entity
from embedded_ros2.launch.specification import (
    DEFAULT_STOP_TIMEOUT_S,
    OUTPUTS,
    InlineParameters,
    ProcessSpec,
    Respawn,
)
from embedded_ros2.launch.state import State

ANY_NODE = "/**"
OUTPUT_OVERRIDE_VARIABLE = "OVERRIDE_LAUNCH_PROCESS_OUTPUT"
_ON_EXIT_SHUTDOWN = "shutdown"


def make_executable(entity: Entity, state: State) -> ProcessSpec:
    """Returns the process of an ``executable``: any program.

    :raises LaunchError: when a key is wrong.
    """
    command = state.arguments(entity, "cmd")
    if not command:
        raise entity.error("'cmd' is missing or empty")
    name = state.optional(entity, "name") or os.path.basename(command[0])  # noqa: PTH119 (a command, maybe no path)
    return _process(entity, state, name, tuple(command))


def make_node(entity: Entity, state: State) -> ProcessSpec:
    """Returns the process of a ``node``: an executable of a ROS package, with its ROS arguments.

    :raises LaunchError: when a key is wrong, or package or executable cannot be found.
    """
    package, executable = state.required(entity, "pkg"), state.required(entity, "exec")
    name = state.optional(entity, "name")
    namespace = state.joined_namespace(state.optional(entity, "namespace") or "")
    if namespace and not namespace.startswith("/"):
        namespace = f"/{namespace}"
    ros_arguments: list[str | InlineParameters] = []
    if name is not None:
        ros_arguments += ["-r", f"__node:={name}"]
    if namespace:
        ros_arguments += ["-r", f"__ns:={namespace}"]
    full_name = f"{namespace.rstrip('/')}/{name}" if name is not None else ANY_NODE
    ros_arguments += _parameters(entity, state, full_name)
    for remap in entity.items("remap"):
        ros_arguments += ["-r", f"{state.required(remap, 'from')}:={state.required(remap, 'to')}"]
        remap.check_complete()
    ros_arguments += state.arguments(entity, "ros_args")
    command: list[str | InlineParameters] = [*_find(entity, package, executable)]
    command += state.arguments(entity, "args")
    return _process(entity, state, executable, (*command, "--ros-args", *ros_arguments))


def _find(entity: Entity, package: str, executable: str) -> list[str]:
    try:
        executables = ament.executables(package)
    except LookupError as error:
        raise entity.error(str(error)) from error
    if executable not in executables:
        known = ", ".join(sorted(executables)) or "none"
        raise entity.error(f"package '{package}' has no executable '{executable}', it has {known}")
    return executables[executable]


def _process(entity: Entity, state: State, name: str, command: tuple[str | InlineParameters, ...]) -> ProcessSpec:
    """Takes the keys that all processes have."""
    prefix = state.arguments(entity, "launch-prefix")
    environment = dict(state.environment)
    for variable in entity.items("env"):
        environment[state.required(variable, "name")] = state.required(variable, "value")
        variable.check_complete()
    return ProcessSpec(
        name=name,
        command=(*prefix, *command),
        environment=environment,
        place=entity.place,
        directory=state.optional(entity, "cwd"),
        output=_output(entity, state),
        respawn=_respawn(entity, state),
        shutdown_on_exit=_shutdown_on_exit(entity),
        sigterm_timeout_s=state.real_seconds(entity, "sigterm_timeout", default=DEFAULT_STOP_TIMEOUT_S),
        sigkill_timeout_s=state.real_seconds(entity, "sigkill_timeout", default=DEFAULT_STOP_TIMEOUT_S),
    )


def _output(entity: Entity, state: State) -> str:
    output = state.optional(entity, "output") or "log"
    output = state.environment.get(OUTPUT_OVERRIDE_VARIABLE) or output
    if output not in OUTPUTS:
        raise entity.error(f"'output' is '{output}', supported are {', '.join(OUTPUTS)}")
    return output


def _respawn(entity: Entity, state: State) -> Respawn | None:
    is_on = state.flag(entity, "respawn", default=False)
    delay_s = state.real_seconds(entity, "respawn_delay", default=0.0)
    text = entity.scalar("respawn_max_retries")
    try:
        retries = None if text is None else int(state.substitute(entity, text))
    except ValueError:
        raise entity.error(f"'respawn_max_retries' is '{text}', it must be an integer") from None
    if not is_on:
        return None
    return Respawn(delay_s, None if retries is None or retries < 0 else retries)


def _shutdown_on_exit(entity: Entity) -> bool:
    on_exit = entity.text("on_exit")
    if on_exit not in (None, _ON_EXIT_SHUTDOWN):
        raise entity.error(f"'on_exit' is '{on_exit}', ros2 launch knows '{_ON_EXIT_SHUTDOWN}' only")
    return on_exit is not None


def _parameters(entity: Entity, state: State, full_name: str) -> Iterator[str | InlineParameters]:
    """Yields parameter files in order, then the parameters that stand in the launch file."""
    inline: list[Entity] = []
    for parameter in entity.items("param"):
        file = state.optional(parameter, "from")
        if file is None:
            inline.append(parameter)
            continue
        parameter.check_complete()
        if not os.path.isfile(file):  # noqa: PTH113 (the text is handed on as it is)
            raise parameter.error(f"parameter file '{file}' does not exist")
        yield from ("--params-file", file)
    values = _nested(inline, state)
    if values:
        yield from ("--params-file", InlineParameters(full_name, values))


def _nested(parameters: list[Entity], state: State) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for parameter in parameters:
        name = state.required(parameter, "name")
        value, below = parameter.value("value"), parameter.items("param")
        if (value is None) is (not below):
            raise parameter.error(f"'{name}' needs either 'value' or nested 'param'")
        values[name] = _nested(below, state) if below else _parameter_value(parameter, state, value)
        parameter.check_complete()
    return values


def _parameter_value(entity: Entity, state: State, value: Any) -> Any:
    """Returns a parameter's value; a text is read as YAML after its substitutions, as by ros2 launch.

    So ``"$(var rate)"`` may give a number, and a text that looks like one needs quotes inside: ``"'10'"``.
    """
    if isinstance(value, list):
        return _checked(entity, [_parameter_value(entity, state, item) for item in value])
    if not isinstance(value, str):
        return _checked(entity, value)
    text = state.substitute(entity, value)
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise entity.error(f"value '{text}' is no valid YAML: {error}") from error
    return _checked(entity, "" if loaded is None else loaded)


def _checked(entity: Entity, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    types = {type(item) for item in items}
    if len(types) > 1 or not types <= {bool, int, float, str}:
        raise entity.error(f"value {value!r} must be a bool, int, float, text or a list of one of these")
    return value
