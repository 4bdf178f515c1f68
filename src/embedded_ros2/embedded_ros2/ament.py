"""The index of ROS packages: installed prefixes, the definitions that ship with this package, source workspaces.

Searched in this order, the first hit wins:

1. the prefixes in ``AMENT_PREFIX_PATH`` (marker files in ``share/ament_index/resource_index/packages``),
2. the interface packages shipped in ``embedded_ros2/share``,
3. source workspaces: the directories in ``EMBEDDED_ROS2_WORKSPACES`` (separated as in PATH) and those that entry
   points of the group ``embedded_ros2.workspaces`` return (a function without arguments that returns a list). Every
   directory in one, down to two levels, that holds a package.xml is a package, and its own share directory.
"""

from __future__ import annotations

import configparser
import logging
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

WORKSPACES_VARIABLE = "EMBEDDED_ROS2_WORKSPACES"
WORKSPACES_GROUP = "embedded_ros2.workspaces"
_PREFIX_VARIABLE = "AMENT_PREFIX_PATH"
_SHIPPED_PREFIX = Path(__file__).resolve().parent
_MARKERS = Path("share", "ament_index", "resource_index", "packages")
_IGNORE_MARKERS = ("COLCON_IGNORE", "AMENT_IGNORE")
_WORKSPACE_DEPTH = 2

_log = logging.getLogger(__name__)


class PackageNotFoundError(KeyError):
    """No such package in the index; the message names what was searched."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Package:
    """Where a package is. A source package is its own prefix and share directory."""

    name: str
    prefix: Path
    share: Path
    is_source: bool = False


def find_package(name: str) -> Package:
    """The package of that name. Raises PackageNotFoundError."""
    variables = os.environ.get(_PREFIX_VARIABLE, ""), os.environ.get(WORKSPACES_VARIABLE, "")
    package = _find_installed(name, variables[0]) or _source_packages(variables[1]).get(name)
    if package is None:
        prefixes = [*_split(variables[0]), str(_SHIPPED_PREFIX)]
        workspaces = [str(path) for path in _workspaces(variables[1])]
        raise PackageNotFoundError(
            f"package '{name}' not found. Searched the prefixes {', '.join(prefixes)} and the source workspaces "
            f"{', '.join(workspaces) or '(none)'}. Source its workspace (install/setup.bash), or name the directory "
            f"that holds its sources in {WORKSPACES_VARIABLE}."
        )
    return package


def get_package_share_directory(package_name: str) -> str:
    """The share directory of a package: launch files, configuration, interface files. Raises PackageNotFoundError."""
    return str(find_package(package_name).share)


def get_package_prefix(package_name: str) -> str:
    """The prefix that a package is installed under (a source package: its directory). Raises PackageNotFoundError."""
    return str(find_package(package_name).prefix)


def get_packages_with_prefixes() -> dict[str, str]:
    """All packages of the index with their prefixes."""
    prefixes = os.environ.get(_PREFIX_VARIABLE, "")
    packages = dict(_source_packages(os.environ.get(WORKSPACES_VARIABLE, "")))
    packages |= {p.name: p for p in _shipped_packages()}
    for prefix in reversed(_split(prefixes)):
        for marker in _children(Path(prefix, _MARKERS)):
            packages[marker.name] = Package(marker.name, Path(prefix), Path(prefix, "share", marker.name))
    return {name: str(package.prefix) for name, package in sorted(packages.items())}


def executables(package_name: str) -> dict[str, list[str]]:
    """The programs of a package: the command line that each one's name stands for. Raises PackageNotFoundError.

    An installed package has its files in lib/<package>. A source package has the console_scripts of its setup.cfg;
    they run in this interpreter's environment with the package's directory first on the path.
    """
    package = find_package(package_name)
    if package.is_source:
        return _console_scripts(package)
    programs = _children(package.prefix / "lib" / package_name)
    return {p.name: [str(p)] for p in programs if p.is_file() and os.access(p, os.X_OK)}


def _find_installed(name: str, prefix_path: str) -> Package | None:
    for prefix in _split(prefix_path):
        if Path(prefix, _MARKERS, name).is_file():
            return Package(name, Path(prefix), Path(prefix, "share", name))
    share = _SHIPPED_PREFIX / "share" / name
    return Package(name, _SHIPPED_PREFIX, share) if name and (share / "package.xml").is_file() else None


def _shipped_packages() -> Iterator[Package]:
    for share in _children(_SHIPPED_PREFIX / "share"):
        yield Package(share.name, _SHIPPED_PREFIX, share)


def _split(paths: str) -> list[str]:
    return [path for path in paths.split(os.pathsep) if path]


def _children(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


@cache
def _workspaces(variable: str) -> tuple[Path, ...]:
    found = [Path(path) for path in _split(variable)]
    for entry_point in metadata.entry_points(group=WORKSPACES_GROUP):
        try:
            found += [Path(path) for path in entry_point.load()()]
        except Exception:
            # A broken plug-in must not take the packages of the others away.
            _log.exception("entry point %s of %s failed", entry_point.name, WORKSPACES_GROUP)
    return tuple(dict.fromkeys(found))


@cache
def _source_packages(variable: str) -> dict[str, Package]:
    packages: dict[str, Package] = {}
    for workspace in _workspaces(variable):
        for directory in _package_directories(workspace, _WORKSPACE_DEPTH):
            name = _package_name(directory / "package.xml")
            if name:
                packages.setdefault(name, Package(name, directory, directory, is_source=True))
    return packages


def _package_directories(directory: Path, depth: int) -> Iterator[Path]:
    if any((directory / marker).exists() for marker in _IGNORE_MARKERS):
        return
    if (directory / "package.xml").is_file():
        yield directory
    elif depth:
        for child in _children(directory):
            if child.is_dir() and not child.name.startswith("."):
                yield from _package_directories(child, depth - 1)


def _package_name(manifest: Path) -> str | None:
    try:
        name = ElementTree.parse(manifest).getroot().findtext("name")
    except (ElementTree.ParseError, OSError) as error:
        _log.warning("%s is passed over, it is no package manifest: %s", manifest, error)
        return None
    return name.strip() if name else None


def _console_scripts(package: Package) -> dict[str, list[str]]:
    parser = configparser.ConfigParser()
    parser.read(package.share / "setup.cfg", encoding="utf-8")
    lines = parser.get("options.entry_points", "console_scripts", fallback="").splitlines()
    commands = {}
    for line in filter(None, map(str.strip, lines)):
        name, _, target = (part.strip() for part in line.partition("="))
        module, _, function = target.partition(":")
        code = (
            f"import sys; sys.path.insert(0, {str(package.share)!r}); sys.argv[0] = {name!r}; "
            f"from {module} import {function.partition('.')[0]}; sys.exit({function}())"
        )
        commands[name] = [sys.executable, "-c", code]
    return commands
