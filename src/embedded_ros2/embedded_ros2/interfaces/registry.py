"""Finds definitions by name in the packages of the ament index, and makes their classes once, when asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from embedded_ros2 import ament
from embedded_ros2.interfaces.definitions import Definition, parse_action, parse_message, parse_service
from embedded_ros2.interfaces.messages import Message, build_message
from embedded_ros2.interfaces.type_hash import rihs01

KINDS = ("msg", "srv", "action")


class InterfaceNotFoundError(LookupError):
    """No package of the index defines this interface."""


_lock = threading.RLock()
_definitions: dict[str, Definition] = {}
_classes: dict[str, type] = {}
_hashes: dict[str, str] = {}


def definition(name: str) -> Definition:
    """The definition of ``package/kind/Name``. Raises InterfaceNotFoundError, PackageNotFoundError, DefinitionError."""
    with _lock:
        if name not in _definitions:
            _load(name)
        return _definitions[name]


def type_hash(name: str) -> str:
    """The RIHS01 hash of a message, service or action."""
    with _lock:
        if name not in _hashes:
            _hashes[name] = rihs01(name, definition)
        return _hashes[name]


def names_in(package: str, kind: str) -> list[str]:
    """The names that ``package`` defines in its files of one kind (msg, srv or action), sorted."""
    directory = Path(ament.get_package_share_directory(package), kind)
    return sorted(path.stem for path in directory.glob(f"*.{kind}"))


def message_class(name: str) -> type[Message]:
    """The class of a message, or of one half of a service or part of an action, such as ``X_Request``."""
    with _lock:
        if name not in _classes:
            package, kind, _ = name.split("/")
            _classes[name] = build_message(definition(name), f"{package}.{kind}", message_class)
        return _classes[name]


def service_class(name: str) -> type:
    """The class of a service, with ``Request``, ``Response`` and ``Event``."""
    with _lock:
        if name not in _classes:
            parts: dict[str, Any] = {part: message_class(f"{name}_{part}") for part in ("Request", "Response", "Event")}
            _classes[name] = _make_holder(name, parts)
        return _classes[name]


def action_class(name: str) -> type:
    """The class of an action: ``Goal``, ``Result``, ``Feedback`` and, below ``Impl``, what carries them."""
    with _lock:
        if name not in _classes:
            parts: dict[str, Any] = {part: message_class(f"{name}_{part}") for part in ("Goal", "Result", "Feedback")}
            parts["Impl"] = SimpleNamespace(
                SendGoalService=service_class(f"{name}_SendGoal"),
                GetResultService=service_class(f"{name}_GetResult"),
                FeedbackMessage=message_class(f"{name}_FeedbackMessage"),
                CancelGoalService=service_class("action_msgs/srv/CancelGoal"),
                GoalStatusMessage=message_class("action_msgs/msg/GoalStatusArray"),
            )
            _classes[name] = _make_holder(name, parts)
        return _classes[name]


def _make_holder(name: str, parts: dict[str, Any]) -> type:
    def refuse(self: object) -> NoReturn:
        raise NotImplementedError(f"{name} is not instantiated: its parts are {', '.join(parts)}")

    package, kind, short = name.split("/")
    attributes = {"__init__": refuse, "__module__": f"{package}.{kind}", "_definition": definition(name), **parts}
    return type(short, (), attributes)


def _load(name: str) -> None:
    package, kind, short = name.split("/") if name.count("/") == 2 else ("", "", "")
    if kind not in KINDS:
        raise InterfaceNotFoundError(f"'{name}' is no interface name: it reads package/msg|srv|action/Name")
    # Names of files have no underscore, so that what follows one was generated: X_Request, X_SendGoal_Response.
    stem = short.partition("_")[0]
    path = Path(ament.get_package_share_directory(package), kind, f"{stem}.{kind}")
    full = f"{package}/{kind}/{stem}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(names_in(package, kind)) or "none"
        raise InterfaceNotFoundError(f"{full} does not exist: there is no {path}; {package} has: {known}") from None
    parse = {"srv": parse_service, "action": parse_action}.get(kind)
    _definitions.update(parse(full, text) if parse else {full: parse_message(full, text)})
    if name not in _definitions:
        raise InterfaceNotFoundError(f"'{name}' does not exist: {path} implies no such type")
