"""A person's device beside a session: read in the command's own process, since a keyboard belongs to a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tenon.cli.console import note
from tenon.cli.errors import CommandError
from tenon.cli.live import Screen
from tenon.session.watching import View

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup


@contextmanager
def teleoperated(setup: SessionSetup, session_file: Path) -> Iterator[Any]:
    """The teleop node of a session, in this process; None where the session names no device.

    Raises CommandError where the device is not there.
    """
    if setup.config.teleop is None:
        yield None
        return
    from rclpy.parameter import Parameter

    from tenon.control.teleop.device import DeviceError
    from tenon.control.teleop.legend import legend
    from tenon_session.introspection import spinning_node
    from tenon_session.teleop_node import TeleopNode

    given = {"session": session_file.absolute(), "run_directory": setup.run_directory}
    parameters = [Parameter(name, Parameter.Type.STRING, str(value)) for name, value in given.items()]
    try:
        with spinning_node(lambda: TeleopNode(parameter_overrides=parameters)) as node:
            config = setup.stand.teleop
            if config is not None:
                note(f"{config.device.kind}: {legend(config)}")
            yield node
    except DeviceError as error:
        raise CommandError(str(error)) from error


class HandScreen:
    """A screen that also says where the tool is."""

    def __init__(self, screen: Screen, node: Any) -> None:
        self._screen = screen
        self._node = node

    def __enter__(self) -> HandScreen:
        self._screen.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self._screen.__exit__(kind, e, at)

    def show(self, view: View) -> None:
        self._screen.show(replace(view, by_hand=where_it_is(self._node)))


def where_it_is(node: Any) -> str:
    """Where the plug is, for a person who cannot see it: the goal as the robot is told it is at 0."""
    seen = node.seen
    if seen is None:
        return ""
    x_mm, y_mm, z_mm = (1e3 * float(value) for value in seen.state[:3])
    made = ", connected" if seen.electrical else ""
    return f"x {x_mm:+6.1f} mm   y {y_mm:+6.1f} mm   z {z_mm:+6.1f} mm   pressing {float(seen.force_n.z):+5.1f} N{made}"
