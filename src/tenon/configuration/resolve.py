"""From a name that a person types to a validated configuration: ``--task usb`` is ``config/tasks/usb.yaml``."""

from __future__ import annotations

import difflib
import enum
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tenon.configuration.base import ConfigT, ConfigurationError, load, load_yaml, parse
from tenon.configuration.session import SessionConfig

ROOT_VARIABLE = "TENON_CONFIG"
"""Environment variable with the path of the configuration tree, for installations outside a checkout."""

SUFFIXES = (".yaml", ".yml")
LISTED_FILES = 8


class ConfigKind(enum.StrEnum):
    """The folders of the configuration tree."""

    ALGORITHMS = "algorithms"
    ARMS = "arms"
    CALIBRATIONS = "calibrations"
    CAMERAS = "cameras"
    CONNECTORS = "connectors"
    FAMILIES = "families"
    HANDS = "hands"
    REWARDS = "rewards"
    ROBOTS = "robots"
    SAFETY = "safety"
    SESSIONS = "sessions"
    TASKS = "tasks"
    TELEOP = "teleop"


def config_root() -> Path:
    """The configuration tree: $TENON_CONFIG, else ``config`` of the checkout around this package or the current folder.

    Raises ConfigurationError when there is none.
    """
    given = os.environ.get(ROOT_VARIABLE)
    if given:
        root = Path(given)
        if not root.is_dir():
            raise ConfigurationError(f"{ROOT_VARIABLE}={given}: no such folder")
        return root
    for parent in (*Path(__file__).resolve().parents, Path.cwd(), *Path.cwd().parents):
        root = parent / "config"
        if (root / ConfigKind.ROBOTS).is_dir():
            return root
    raise ConfigurationError(
        f"no folder config/{ConfigKind.ROBOTS} in the checkout, in {Path.cwd()} or above it: run in a checkout of "
        f"Tenon or set {ROOT_VARIABLE}"
    )


def names(kind: ConfigKind, *, root: Path | None = None) -> list[str]:
    """The names that exist of a kind, sorted; those in a folder of it (a family's) as FOLDER/NAME, after the others."""
    folder = (root or config_root()) / kind
    own = sorted(path.stem for path in folder.glob("*.yaml"))
    return own + sorted(f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.yaml"))


def resolve(kind: ConfigKind, name: str | Path, *, root: Path | None = None) -> Path:
    """The file of a name, where FOLDER/ may be left out; a path (with a separator or a suffix) is taken as it is.

    Raises ConfigurationError that lists what exists and the nearest name.
    """
    text = os.fspath(name)
    known = names(kind, root=root)
    found = [text] if text in known else [other for other in known if other.rpartition("/")[2] == text]
    if len(found) == 1:
        return (root or config_root()) / kind / f"{found[0]}.yaml"
    if found:
        raise ConfigurationError(f"{kind}: {text!r} could be any of {', '.join(found)}: say which")
    if os.sep in text or text.endswith(SUFFIXES):
        path = Path(text).expanduser()
        if not path.is_file():
            named = nearest(text, known)
            why = f"no such file{named}" if named else _absent(path, nearest(path.stem, known))
            raise ConfigurationError(f"{kind}: {path}: {why}")
        return path
    hint = _as_a_robot(kind, text, root) or nearest(text, [*known, *(other.rpartition("/")[2] for other in known)])
    raise ConfigurationError(f"{kind}: {text!r} is unknown. There are: {_listed(known) or 'none'}{hint}")


def _as_a_robot(kind: ConfigKind, name: str, root: Path | None) -> str:
    """Where an arm is asked for and a robot is named: which arm that robot has."""
    if kind is not ConfigKind.ARMS or name not in names(ConfigKind.ROBOTS, root=root):
        return ""
    arm = load_yaml(resolve(ConfigKind.ROBOTS, name, root=root)).get("arm")
    return f"; {name!r} is a robot, its arm is {arm!r}" if arm in names(kind, root=root) else ""


def _absent(path: Path, otherwise: str) -> str:
    """Why there is no file there, with what is there instead; otherwise: what to say where nothing is near."""
    if path.is_dir():
        files = sorted(file.name for suffix in SUFFIXES for file in path.glob(f"*{suffix}"))
        return f"a folder; name one of its files: {', '.join(files[:LISTED_FILES]) or 'it has no .yaml'}"
    beside = [path.with_suffix(suffix) for suffix in SUFFIXES if path.with_suffix(suffix).is_file()]
    if beside:
        return f"no such file; did you mean {str(beside[0])!r}?"
    if not path.parent.is_dir():
        return f"no such file: there is no folder {str(path.parent)!r} here, in {Path.cwd()}{otherwise}"
    near = nearest(path.name, [file.name for suffix in SUFFIXES for file in path.parent.glob(f"*{suffix}")])
    return f"no such file{near or otherwise}"


def _listed(known: list[str]) -> str:
    """The names, of a folder only how many it has."""
    own = [name for name in known if "/" not in name]
    folders = Counter(name.partition("/")[0] for name in known if "/" in name)
    return ", ".join([*own, *(f"{folder}/ ({count} files)" for folder, count in sorted(folders.items()))])


def nearest(text: str, known: Sequence[str]) -> str:
    """A question that names what was probably meant, to be put behind a message; empty where nothing is near."""
    near = difflib.get_close_matches(text, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def load_named(model: type[ConfigT], kind: ConfigKind, name: str | Path, *, root: Path | None = None) -> ConfigT:
    """Finds, reads and validates a configuration. Raises ConfigurationError."""
    return load(model, resolve(kind, name, root=root))


def resolve_session(
    name: str | Path, overrides: Mapping[str, Any] | None = None, *, root: Path | None = None
) -> SessionConfig:
    """A session by name or path, with keys overridden by what a person typed. Raises ConfigurationError."""
    path = resolve(ConfigKind.SESSIONS, name, root=root)
    data = load_yaml(path)
    if not overrides:
        return parse(SessionConfig, data, where=str(path))
    given = ", ".join(f"{key}={value}" for key, value in overrides.items())
    return parse(SessionConfig, {**data, **overrides}, where=f"{path} with {given}")
