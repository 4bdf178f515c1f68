"""``--ros-args`` on the command line: remapping, parameters, log levels, enclave.

Follows https://design.ros2.org/articles/ros_command_line_arguments.html as far as rcl implements it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _names
from ._parameter_yaml import ANY_NODE, ParameterOverride, ParameterYamlError, load_file, load_value, matches
from ._rclpy_pybind11 import RCLInvalidROSArgsError, UnknownROSArgsError
from ._unsupported import UnsupportedFeature
from .impl.logging_severity import LoggingSeverity

ROS_ARGS_FLAG = "--ros-args"
ROS_ARGS_END = "--"

_RULE = re.compile(r"^(?:(?P<node>[a-zA-Z_]\w*):(?!/))?(?P<match>[^=]+?):=(?P<replacement>.+)$")
_SWITCHES = {
    "--enable-rosout-logs": ("rosout_logs", True),
    "--disable-rosout-logs": ("rosout_logs", False),
    "--enable-stdout-logs": ("console_logs", True),
    "--disable-stdout-logs": ("console_logs", False),
}
_UNSUPPORTED = ("--log-config-file", "--log-file-name", "--enable-external-lib-logs")


@dataclass(frozen=True, slots=True)
class SplitArguments:
    """A command line, divided into what belongs to ROS and what belongs to the program."""

    ros: list[str]
    non_ros: list[str]


@dataclass(frozen=True, slots=True)
class RemapRule:
    """``match`` becomes ``replacement``. ``kind`` is node, namespace, topic, service or any (of the last two)."""

    kind: str
    node: str | None
    match: str
    replacement: str

    def applies_to(self, kinds: tuple[str, ...], node_name: str) -> bool:
        return self.kind in kinds and self.node in (None, node_name)


@dataclass(slots=True)
class RosArguments:
    """The parsed ROS arguments of a process or of one node."""

    remaps: list[RemapRule] = field(default_factory=list)
    parameters: list[ParameterOverride] = field(default_factory=list)
    log_levels: dict[str, LoggingSeverity] = field(default_factory=dict)
    enclave: str = "/"
    rosout_logs: bool = True
    console_logs: bool = True


def split_arguments(arguments: Sequence[str]) -> SplitArguments:
    """Divides a command line; a ROS section runs from ``--ros-args`` to ``--`` or the end."""
    split = SplitArguments([], [])
    in_ros_section = False
    for argument in arguments:
        if argument == ROS_ARGS_FLAG:
            in_ros_section = True
        elif in_ros_section and argument == ROS_ARGS_END:
            in_ros_section = False
        else:
            (split.ros if in_ros_section else split.non_ros).append(argument)
    return split


def parse_arguments(arguments: Sequence[str]) -> RosArguments:
    """Parses the ROS sections of a command line.

    :raises UnknownROSArgsError: on flags that ROS does not know.
    :raises RCLInvalidROSArgsError: on malformed rules, values and parameter files.
    :raises UnsupportedFeature: on flags that only a real ROS 2 offers.
    """
    parsed = RosArguments()
    unknown: list[str] = []
    remaining = iter(split_arguments(arguments).ros)
    for flag in remaining:
        if flag in ("-r", "--remap"):
            parsed.remaps.append(_parse_remap(_argument_of(flag, remaining)))
        elif flag in ("-p", "--param"):
            parsed.parameters.append(_parse_parameter(_argument_of(flag, remaining)))
        elif flag == "--params-file":
            parsed.parameters.extend(_parse_file(_argument_of(flag, remaining)))
        elif flag == "--log-level":
            name, level = _parse_log_level(_argument_of(flag, remaining))
            parsed.log_levels[name] = level
        elif flag in ("-e", "--enclave"):
            parsed.enclave = _parse_enclave(_argument_of(flag, remaining))
        elif flag in _SWITCHES:
            attribute, value = _SWITCHES[flag]
            setattr(parsed, attribute, value)
        elif flag in _UNSUPPORTED:
            raise UnsupportedFeature(f"the ROS argument '{flag}'")
        elif flag != "--disable-external-lib-logs":  # there are no logs of external libraries to disable
            unknown.append(flag)
    if unknown:
        raise UnknownROSArgsError(f"Found unknown ROS arguments: {unknown}")
    return parsed


def _argument_of(flag: str, remaining: Iterator[str]) -> str:
    argument = next(remaining, None)
    if argument is None:
        raise RCLInvalidROSArgsError(f"Couldn't parse trailing {flag} flag. No argument found.")
    return argument


def _parse_remap(rule: str) -> RemapRule:
    parsed = _RULE.match(rule)
    if parsed is None:
        raise RCLInvalidROSArgsError(f"Couldn't parse remap rule: '-r {rule}'. Expected [node:]from:=to")
    match, replacement = parsed["match"], parsed["replacement"]
    if match in ("__node", "__name"):
        problem, kind = _names.check_node_name(replacement), "node"
    elif match == "__ns":
        problem, kind = _names.check_namespace(replacement), "namespace"
    else:
        return _topic_remap(rule, parsed["node"], match, replacement)
    if problem:
        raise RCLInvalidROSArgsError(f"Couldn't parse remap rule: '-r {rule}'. {problem.message}")
    return RemapRule(kind, parsed["node"], match, replacement)


def _topic_remap(rule: str, node: str | None, match: str, replacement: str) -> RemapRule:
    kind = "any"
    for prefix, prefixed_kind in (("rostopic://", "topic"), ("rosservice://", "service")):
        if match.startswith(prefix):
            kind, match = prefixed_kind, match.removeprefix(prefix)
    for name in (match, replacement):
        if problem := _names.check_topic_name(name):
            raise RCLInvalidROSArgsError(f"Couldn't parse remap rule: '-r {rule}'. '{name}': {problem.message}")
    return RemapRule(kind, node, match, replacement)


def _parse_parameter(rule: str) -> ParameterOverride:
    left, separator, text = rule.partition(":=")
    if not separator or not left:
        raise RCLInvalidROSArgsError(f"Couldn't parse parameter override rule: '-p {rule}'. Expected name:=value")
    node, _, name = left.rpartition(":")
    pattern = f"/{node.strip('/')}" if node else ANY_NODE
    try:
        return ParameterOverride(pattern, name, load_value(text))
    except ParameterYamlError as error:
        raise RCLInvalidROSArgsError(f"Couldn't parse parameter override rule: '-p {rule}'. {error}") from error


def _parse_file(path: str) -> list[ParameterOverride]:
    try:
        return load_file(path)
    except ParameterYamlError as error:
        raise RCLInvalidROSArgsError(f"Couldn't parse params file: '--params-file {path}'. Error: {error}") from error


def _parse_log_level(rule: str) -> tuple[str, LoggingSeverity]:
    name, _, level = rule.rpartition(":=")
    try:
        return name, LoggingSeverity[level.upper()]
    except KeyError:
        allowed = ", ".join(severity.name.lower() for severity in LoggingSeverity if severity)
        raise RCLInvalidROSArgsError(
            f"Couldn't parse log level rule: '--log-level {rule}'. '{level}' is none of {allowed}"
        ) from None


def _parse_enclave(name: str) -> str:
    if problem := _names.check_namespace(name):
        raise RCLInvalidROSArgsError(f"Couldn't parse enclave name: '-e {name}'. {problem.message}")
    return name


def remap_node(name: str, namespace: str, arguments: Iterable[RosArguments]) -> tuple[str, str]:
    """Returns a node's name and namespace after the rules of ``arguments``; the first rule that matches wins."""
    rules = [rule for parsed in arguments for rule in parsed.remaps]
    new_name = next((rule.replacement for rule in rules if rule.applies_to(("node",), name)), name)
    new_namespace = next((rule.replacement for rule in rules if rule.applies_to(("namespace",), name)), namespace)
    return new_name, new_namespace


def remap_name(full_name: str, kind: str, node: tuple[str, str], arguments: Iterable[RosArguments]) -> str:
    """Returns a fully qualified topic or service name after the first rule that matches.

    :param kind: ``topic`` or ``service``.
    :param node: name and namespace of the node that uses it.
    """
    for parsed in arguments:
        for rule in parsed.remaps:
            if rule.applies_to(("any", kind), node[0]) and _names.expand(rule.match, *node) == full_name:
                return _names.expand(rule.replacement, *node)
    return full_name


def parameter_overrides(full_node_name: str, arguments: Iterable[RosArguments]) -> dict[str, Any]:
    """Returns the values that a node's parameters are to start with.

    As in rcl, rules are grouped by node pattern; groups apply in the order in which their patterns first appear, so
    that ``-p x:=1`` (pattern ``/**``) does not win over an entry for this very node in an earlier file.
    """
    groups: dict[str, dict[str, Any]] = {}
    for parsed in arguments:
        for override in parsed.parameters:
            groups.setdefault(override.pattern, {})[override.name] = override.value
    values: dict[str, Any] = {}
    for pattern, group in groups.items():
        if matches(pattern, full_node_name):
            values.update(group)
    return values
