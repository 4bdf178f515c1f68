"""`tenon console`: the operator's web console."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tenon.cli.console import note, write_line
from tenon.cli.errors import SUCCESS, CommandError, UsageError


@dataclass(frozen=True)
class Console:
    """Serve the web console: watch, start, pause, stop, drive, label. It joins the session of this ROS domain, whether
    that begins before or after it."""

    host: str | None = None
    """Where to listen, if not on this machine alone; a token is needed then, which the printed address holds."""
    port: int | None = None
    """0: any that is free."""
    runs: Path | None = None
    """The folder whose recordings and checkpoints are shown."""

    def run(self) -> int:
        from tenon.cli.settings import typed

        try:
            from embedded_ros2.router import RouterError
            from tenon.console.config import load_console
            from tenon.console.guard import address, token_for
            from tenon_console.console import serve
            from tenon_session.graph import GraphError
        except ModuleNotFoundError as error:
            raise UsageError(f"the console needs {error.name}: pip install -e '.[console]'") from error
        config = load_console(typed(host=self.host, port=self.port, runs=self.runs))
        token = token_for(config, os.environ)

        def say(port: int) -> None:
            write_line(address(config, port, token))
            note("Ctrl-C ends the console; the session goes on without it")

        try:
            serve(config, token=token, on_ready=say)
        except (GraphError, RouterError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"cannot listen on {config.host}:{config.port}: {error.strerror}: choose another --port or --host"
            ) from error
        return SUCCESS
