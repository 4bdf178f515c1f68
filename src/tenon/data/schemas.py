"""Message definitions as MCAP wants them: the text of a type and of every type that it uses, in one string.

Encoding ``ros2msg`` (https://mcap.dev/spec/registry#ros2msg): the .msg text of the type itself, then for each type it
depends on a line of 80 "=", a line ``MSG: package/Name`` and that type's .msg text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

FindShare = Callable[[str], Path]
"""Name of a package -> its share directory, the one that holds ``msg/Name.msg``. Raises LookupError if unknown."""

SEPARATOR = "=" * 80

_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_PRIMITIVES = _INTEGERS | {"bool", "byte", "char", "string", "wstring", "float32", "float64"}
_TYPE_NAME = re.compile(r"(?P<package>[a-z][a-z0-9_]*)/(?:msg/)?(?P<name>[A-Z][A-Za-z0-9]*)")
_CAPACITY = re.compile(r"(<=\d+)?(\[[^\]]*\])?$")  # string<=10, T[], T[3], T[<=3]


class SchemaError(ValueError):
    """The definition of a message type cannot be put together. The message names the type and the file."""


def find_share_under(*roots: Path) -> FindShare:
    """A lookup of packages that lie as ``<root>/<package>/msg``; the first root that has the package wins."""

    def find_share(package: str) -> Path:
        for root in roots:
            if (root / package / "msg").is_dir():
                return root / package
        searched = ", ".join(str(root) for root in roots) or "no directory"
        raise LookupError(f"package {package!r} has no msg folder under: {searched}")

    return find_share


def full_definition(type_name: str, find_share: FindShare) -> str:
    """The ros2msg text of ``type_name`` ("pkg/msg/Name" or "pkg/Name") with all its dependencies, each once.

    Raises SchemaError when a name is malformed or a .msg file is missing.
    """
    root = _short_name(type_name, needed_by=None)
    texts: dict[str, str] = {}
    pending = [(root, type_name)]
    while pending:
        name, needed_by = pending.pop()
        if name in texts:
            continue
        texts[name] = _read(name, find_share, needed_by)
        package = name.partition("/")[0]
        used = [_short_name(t, needed_by=name) for t in _used_types(texts[name], package)]
        pending.extend((t, name) for t in reversed(used))
    parts = [texts.pop(root)]
    parts += [f"{SEPARATOR}\nMSG: {name}\n{text}" for name, text in texts.items()]
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _read(name: str, find_share: FindShare, needed_by: str) -> str:
    package, _, message = name.partition("/")
    try:
        path = find_share(package) / "msg" / f"{message}.msg"
    except LookupError as error:
        raise SchemaError(f"{name} (needed by {needed_by}): {error}") from error
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SchemaError(f"{name} (needed by {needed_by}): {path} cannot be read: {error.strerror}") from error
    if any(line.startswith("===") for line in text.splitlines()):
        raise SchemaError(f"{path}: a line starts with '===', which ends a definition in a ros2msg schema: reword it")
    return text


def _used_types(text: str, package: str) -> Iterator[str]:
    """The non-primitive types that the fields of a .msg text name, in order of appearance, made absolute."""
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        used = _CAPACITY.sub("", words[0])
        if used not in _PRIMITIVES:
            yield used if "/" in used else f"{package}/{used}"


def _short_name(type_name: str, *, needed_by: str | None) -> str:
    match = _TYPE_NAME.fullmatch(type_name)
    if match is None:
        where = f" (in {needed_by})" if needed_by else ""
        raise SchemaError(f"{type_name!r}{where} is no message type: 'package/msg/Name' is needed")
    return f"{match['package']}/{match['name']}"
