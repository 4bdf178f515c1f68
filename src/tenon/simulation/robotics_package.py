"""gymnasium-robotics, made to run with the MuJoCo that Tenon uses.

As shipped, version 1.4 compares ``np.int32(3)`` with members of enumerations, which since MuJoCo 3.12 is False:
its Fetch tasks then fail with a bare AssertionError. Here the one module that compares gets plain integers instead. No
other code sees the change, and it happens when a task of the package is first asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from types import ModuleType, SimpleNamespace

import mujoco

INSTALL = 'pip install "gymnasium-robotics>=1.4"'
COMPARED_ENUMS = ("mjtJoint", "mjtEq")


class RoboticsPackageError(ImportError):
    """gymnasium-robotics is not there. The message says how to install it."""


def robotics_module(name: str) -> ModuleType:
    """``gymnasium_robotics.<name>``. Raises RoboticsPackageError where the package is missing."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # where it prints news about tasks that nobody asked for
            utilities = importlib.import_module("gymnasium_robotics.utils.mujoco_utils")
    except ImportError as error:
        missing = f"this task comes from gymnasium-robotics, which cannot be imported ({error})"
        raise RoboticsPackageError(f"{missing}: {INSTALL}") from error
    if not isinstance(utilities.mujoco, SimpleNamespace):
        utilities.mujoco = _with_plain_integers()  # type: ignore[attr-defined]
    return importlib.import_module(f"gymnasium_robotics.{name}")


def _with_plain_integers() -> SimpleNamespace:
    """MuJoCo's module, but the compared enumerations have plain integers (an IntEnum would halve Fetch's speed)."""
    names = dict(vars(mujoco))
    for enum in COMPARED_ENUMS:
        members = getattr(mujoco, enum).__members__
        names[enum] = SimpleNamespace(**{name: int(member) for name, member in members.items()})
    return SimpleNamespace(**names)
