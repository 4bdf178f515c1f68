"""The rules for names in the ROS graph: which are valid, and how they are made fully qualified.

Follows https://design.ros2.org/articles/topic_and_service_names.html and the checks of rcl and rmw. The functions
return what is wrong (or None) and raise nothing; the ``validate_*`` modules turn that into rclpy's exceptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_NAME_LENGTH = 255 - len("rq/Request")
"""Longest topic name that rmw accepts, in characters."""

_SUBSTITUTION = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class NameProblem:
    """What is wrong with a name, and at which character."""

    message: str
    index: int


def check_node_name(name: str) -> NameProblem | None:
    if not name:
        return NameProblem("node name must not be empty", 0)
    if bad := re.search(r"[^a-zA-Z0-9_]", name):
        return NameProblem("node name must not contain characters other than alphanumerics or '_'", bad.start())
    if name[0].isdigit():
        return NameProblem("node name must not start with a number", 0)
    return None


def check_full_name(name: str, kind: str = "topic name") -> NameProblem | None:
    """Checks an absolute topic, service or node path: ``/a/b_2``."""
    if not name:
        return NameProblem(f"{kind} must not be empty", 0)
    if name[0] != "/":
        return NameProblem(f"{kind} must be absolute, it must lead with a '/'", 0)
    if name.endswith("/"):
        return NameProblem(f"{kind} must not end with a '/'", len(name) - 1)
    if bad := re.search(r"[^a-zA-Z0-9_/]", name):
        return NameProblem(f"{kind} must not contain characters other than alphanumerics, '_', or '/'", bad.start())
    if bad := re.search(r"//", name):
        return NameProblem(f"{kind} must not contain repeated '/'", bad.start() + 1)
    if bad := re.search(r"/[0-9]", name):
        return NameProblem(f"{kind} must not have a token that starts with a number", bad.start() + 1)
    if len(name) > MAX_NAME_LENGTH:
        return NameProblem(f"{kind} is too long, the limit is {MAX_NAME_LENGTH}", MAX_NAME_LENGTH)
    return None


def check_namespace(namespace: str) -> NameProblem | None:
    if namespace == "/":
        return None
    return check_full_name(namespace, "namespace")


def check_topic_name(name: str) -> NameProblem | None:
    """Checks a name as the user writes it: relative, absolute or private, with ``{substitutions}``."""
    if not name:
        return NameProblem("topic name must not be empty string", 0)
    if name[0].isdigit():
        return NameProblem("topic name token must not start with a number", 0)
    if name.endswith("/"):
        return NameProblem("topic name must not end with a forward slash", len(name) - 1)
    plain = _SUBSTITUTION.sub(lambda match: "x" * len(match[0]), name)
    for match in _SUBSTITUTION.finditer(name):
        if problem := _check_substitution(match):
            return problem
    if bad := re.search(r"[{}]", plain):
        return NameProblem("topic name must not have unmatched (unbalanced) curly braces '{}'", bad.start())
    if bad := re.search(r"[^a-zA-Z0-9_/~]", plain):
        return NameProblem(
            "topic name must not contain characters other than alphanumerics, '_', '~', '{', or '}'", bad.start()
        )
    if "~" in name[1:]:
        return NameProblem("topic name must not have tilde '~' unless it is the first character", name.index("~", 1))
    if name[0] == "~" and len(name) > 1 and name[1] != "/":
        return NameProblem(
            "topic name must not have a tilde '~' that is not immediately followed by a forward slash '/'", 1
        )
    if bad := re.search(r"/[0-9]", plain):
        return NameProblem("topic name token must not start with a number", bad.start() + 1)
    return None


def _check_substitution(match: re.Match[str]) -> NameProblem | None:
    inner, start = match[1], match.start(1)
    if bad := re.search(r"[^a-zA-Z0-9_]", inner):
        return NameProblem(
            "substitution name must not contain characters other than alphanumerics or '_'", start + bad.start()
        )
    if inner[:1].isdigit():
        return NameProblem("substitution name must not start with a number", start)
    return None


def expand(name: str, node_name: str, namespace: str) -> str:
    """Makes a checked name fully qualified: ``~`` is the node, a relative name is in the namespace.

    :raises ValueError: on a substitution other than ``{node}``, ``{ns}`` and ``{namespace}``.
    """
    values = {"node": node_name, "ns": namespace, "namespace": namespace}

    def substitute(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(
                f"unknown substitution '{match[0]}' in '{name}', allowed are {{node}}, {{ns}}, {{namespace}}"
            )
        return values[match[1]]

    expanded = _SUBSTITUTION.sub(substitute, name)
    if expanded.startswith("~"):
        return join(join(namespace, node_name), expanded[2:])
    return expanded if expanded.startswith("/") else join(namespace, expanded)


def join(namespace: str, name: str) -> str:
    """``/a`` and ``b`` give ``/a/b``; the root namespace and an empty name add nothing."""
    return f"{namespace.rstrip('/')}/{name}" if name else namespace
