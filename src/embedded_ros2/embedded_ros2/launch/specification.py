"""What a launch file comes down to: processes to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded_ros2.launch.errors import Place

DEFAULT_STOP_TIMEOUT_S = 5.0
"""As in ros2 launch: from SIGINT to SIGTERM, and from SIGTERM to SIGKILL."""

OUTPUTS = ("screen", "log", "both")


@dataclass(frozen=True, slots=True)
class InlineParameters:
    """Parameters that stand in the launch file; they are handed over in a parameter file.

    ``node`` is the fully qualified name, or ``/**`` when only the node itself knows its name.
    """

    node: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Respawn:
    """Start again ``delay_s`` after each exit, at most ``max_retries`` times (None: without end)."""

    delay_s: float = 0.0
    max_retries: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to run.

    ``command`` holds arguments and, for nodes, parameters that become arguments (``--params-file``).
    ``output``: stdout goes to the screen, to the log file or both; stderr always goes to both, as in ros2 launch.
    """

    name: str
    command: tuple[str | InlineParameters, ...]
    environment: Mapping[str, str]
    place: Place
    directory: str | None = None
    output: str = "log"
    respawn: Respawn | None = None
    shutdown_on_exit: bool = False
    start_delay_s: float = 0.0
    sigterm_timeout_s: float = DEFAULT_STOP_TIMEOUT_S
    sigkill_timeout_s: float = DEFAULT_STOP_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class DeclaredArgument:
    """A launch argument, as ``--show-args`` shows it; without default it must be given."""

    name: str
    default: str | None = None
    description: str = ""
    choices: tuple[str, ...] = ()


@dataclass(slots=True)
class Launch:
    """All that a launch file comes down to with given arguments."""

    processes: list[ProcessSpec] = field(default_factory=list)
    arguments: dict[str, DeclaredArgument] = field(default_factory=dict)
