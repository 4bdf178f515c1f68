"""What every page is built from, and how a page asks something of the robot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nicegui import ui

from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig
from tenon.console.model import ConsoleModel, ConsoleView
from tenon.console.operator import Operator, OperatorError
from tenon.console.web.work import ask_robot

Refresh = Callable[[ConsoleView], None]
SAID_MS = 6000
COMPLAINT_MS = 15000
SAID_AT: Final = "bottom-right"
"""Beside the alerts, which lie at the bottom left, and clear of the stop button."""


@dataclass(frozen=True)
class Context:
    """config, teleop: settings of the console and of its on-screen control. model: what is known of the robot.
    operator: what can be asked of it.
    """

    config: ConsoleConfig
    teleop: TeleopConfig
    model: ConsoleModel
    operator: Operator


async def ask(call: Callable[[], str], *, what: str) -> bool:
    """Asks off the thread that serves browsers, and shows the answer. Returns whether it was done."""
    browser = ui.context.client  # the button that was pressed may be gone by then: that of a dialog, or of an alert
    try:
        said = await ask_robot(call)
    except OperatorError as error:
        with browser:
            ui.notify(
                str(error), type="negative", position=SAID_AT, timeout=COMPLAINT_MS, multi_line=True, close_button=True
            )
        return False
    with browser:
        ui.notify(f"{what}: {said}" if said else what, type="positive", position=SAID_AT, timeout=SAID_MS)
    return True
