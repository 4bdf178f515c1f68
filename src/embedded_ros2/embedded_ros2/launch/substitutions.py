"""``$(...)`` in launch files: reads text with substitutions and performs them.

The grammar is that of ``launch.frontend``: ``$(name argument 'quoted argument' ...)``, nested at will; a backslash
takes the next character as it is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded_ros2 import ament
from embedded_ros2.launch.expressions import ExpressionError, evaluate

_NAME = re.compile(r"[a-zA-Z][\w-]*")
_OPEN = "$("


class SubstitutionError(ValueError):
    """Text cannot be read, or a substitution cannot be performed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What substitutions see: variables, the environment, the directory of the launch file."""

    variables: Mapping[str, str]
    environment: Mapping[str, str]
    directory: Path


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a text: as it stands there, or what a substitution gave."""

    text: str
    is_literal: bool


def substitute(text: str, scope: Scope) -> str:
    """Returns the text with its substitutions performed.

    :raises SubstitutionError: when one is malformed, unknown or fails.
    """
    return "".join(fragment.text for fragment in fragments(text, scope))


def fragments(text: str, scope: Scope) -> list[Fragment]:
    """Returns the pieces of a text, with its substitutions performed.

    :raises SubstitutionError: when one is malformed, unknown or fails.
    """
    return _Reader(text, scope).fragments()


def split_arguments(text: str, scope: Scope) -> list[str]:
    """Splits a command line as ros2 launch does: literal text as a shell would; what a substitution gives stays whole.

    :raises SubstitutionError: also when a literal piece has a quote without its end.
    """
    arguments: list[str] = []
    is_open = False
    for fragment in fragments(text, scope):
        literal = fragment.text
        try:
            tokens = shlex.split(literal) if fragment.is_literal else [literal]
        except ValueError as error:
            raise SubstitutionError(f"'{literal}' cannot be split into arguments: {error}") from error
        if fragment.is_literal and literal[:1].isspace():
            is_open = False
        for index, token in enumerate(tokens):
            if is_open and index == 0:
                arguments[-1] += token
            else:
                arguments.append(token)
        is_open = bool(tokens) and not (fragment.is_literal and literal[-1:].isspace())
    return arguments


class _Reader:
    """Reads a text from left to right and performs each substitution when it ends."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        self._at = 0

    def fragments(self) -> list[Fragment]:
        """Reads the whole text."""
        found: list[Fragment] = []
        while self._at < len(self._text):
            if self._text.startswith(_OPEN, self._at):
                found.append(Fragment(self._substitution(), is_literal=False))
            else:
                found.append(Fragment(self._literal(), is_literal=True))
        return found

    def _literal(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text) and not self._text.startswith(_OPEN, self._at):
            parts.append(self._character())
        return "".join(parts)

    def _character(self) -> str:
        """Reads one character; after a backslash the next one counts."""
        if self._text[self._at] == "\\" and self._at + 1 < len(self._text):
            self._at += 1
        self._at += 1
        return self._text[self._at - 1]

    def _template(self, end: str) -> str:
        """Reads up to one of the characters in ``end``, which stays."""
        parts: list[str] = []
        while self._at < len(self._text):
            if self._text.startswith(_OPEN, self._at):
                parts.append(self._substitution())
            elif self._text[self._at] in end:
                return "".join(parts)
            else:
                parts.append(self._character())
        raise SubstitutionError(f"'{self._text}' ends where one of {end!r} is expected")

    def _substitution(self) -> str:
        start = self._at
        self._at += len(_OPEN)
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise SubstitutionError(f"'{self._text[start:]}': the name of a substitution must follow '$('")
        self._at = name.end()
        arguments: list[str] = []
        while True:
            self._skip_spaces()
            if self._at >= len(self._text):
                raise SubstitutionError(f"'{self._text[start:]}': the closing ')' is missing")
            if self._text[self._at] == ")":
                self._at += 1
                return _perform(name[0], arguments, self._scope)
            arguments.append(self._argument())

    def _argument(self) -> str:
        quote = self._text[self._at]
        if quote not in "'\"":
            return self._template(") \t\n")
        self._at += 1
        argument = self._template(quote)
        self._at += 1
        return argument

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1


def _perform(name: str, arguments: list[str], scope: Scope) -> str:
    if name not in _SUBSTITUTIONS:
        raise SubstitutionError(f"unknown substitution '$({name})', known are {', '.join(sorted(_SUBSTITUTIONS))}")
    least, most, perform = _SUBSTITUTIONS[name]
    if not least <= len(arguments) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise SubstitutionError(f"$({name}) takes {count} arguments, got {arguments}")
    return perform(arguments, scope)


def _var(arguments: list[str], scope: Scope) -> str:
    name, *default = arguments
    if name in scope.variables:
        return scope.variables[name]
    if default:
        return default[0]
    raise SubstitutionError(f"variable '{name}' is not set, known are {', '.join(sorted(scope.variables)) or 'none'}")


def _env(arguments: list[str], scope: Scope) -> str:
    name, *default = arguments
    if name in scope.environment:
        return scope.environment[name]
    if default:
        return default[0]
    raise SubstitutionError(f"environment variable '{name}' is not set: set it, or write $(env {name} DEFAULT)")


def _eval(arguments: list[str], scope: Scope) -> str:
    try:
        return str(evaluate(arguments[0]))
    except ExpressionError as error:
        raise SubstitutionError(f"$(eval): {error}") from error


def _package(find: Callable[[str], str]) -> Callable[[list[str], Scope], str]:
    def perform(arguments: list[str], scope: Scope) -> str:
        try:
            return find(arguments[0])
        except LookupError as error:
            raise SubstitutionError(str(error)) from error

    return perform


def _dirname(arguments: list[str], scope: Scope) -> str:
    return str(scope.directory)


_SUBSTITUTIONS: dict[str, tuple[int, int, Callable[[list[str], Scope], str]]] = {
    "var": (1, 2, _var),
    "env": (1, 2, _env),
    "eval": (1, 1, _eval),
    "dirname": (0, 0, _dirname),
    "find-pkg-share": (1, 1, _package(ament.get_package_share_directory)),
    "find-pkg-prefix": (1, 1, _package(ament.get_package_prefix)),
}
"""By name: least and most number of arguments, and what is done with them."""
