"""`tenon launch`: a launch file under the launcher of the ROS 2 that is in use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import tyro

from tenon.cli.errors import CommandError, UsageError


@dataclass(frozen=True)
class Launch:
    """Run a YAML launch file, under `ros2 launch` where a real ROS 2 is in use, else under the embedded launcher."""

    file: tyro.conf.Positional[Path]
    """The launch file."""
    arguments: tyro.conf.Positional[tuple[str, ...]] = ()
    """Its arguments, as name:=value."""

    def run(self) -> int:
        """Becomes the launcher, so that signals and the exit status are its own."""
        from embedded_ros2.router import RouterError
        from tenon_session.graph import GraphError, launcher, router

        if not self.file.is_file():
            raise UsageError(f"{self.file}: no such launch file")
        for argument in self.arguments:
            if ":=" not in argument:
                raise UsageError(f"{argument!r} is no launch argument: name:=value is needed")
        try:
            command = [*launcher(), str(self.file), *self.arguments]
            with router():
                return _run(command)
        except (GraphError, RouterError) as error:
            raise CommandError(str(error)) from error


def _run(command: list[str]) -> int:
    """Runs the launcher in the foreground, away from the terminal: so ros2 launch passes SIGINT on to its nodes, once,
    whether it comes from Ctrl-C, from SIGTERM or from this process's death."""
    import signal
    import subprocess

    from tenon_session.graph import die_with_parent

    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGINT),
    )
    previous = {
        number: signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        status = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
