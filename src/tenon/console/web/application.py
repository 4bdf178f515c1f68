"""The web application: routes, pages and the guard around them, ready for a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig
from tenon.console.guard import Guard
from tenon.console.model import ConsoleModel
from tenon.console.operator import Operator
from tenon.console.web import checkpoints_page, datasets_page, label_page, record_page, session_page
from tenon.console.web.context import Context
from tenon.console.web.routes import add_routes

STATIC = Path(__file__).parent / "static"
DRIVE = "console"
"""The on-screen control's file in ``config/teleop``."""
HISTORY_MESSAGES = 300
"""Kept for a browser whose connection was gone for a moment; after that the page is built anew, and with it a dialog
that was open is lost."""
RECONNECT_S = 8.0
"""How long a browser is waited for: one that is busy must not lose its page. NiceGUI's pings follow from it."""
BUILDERS: dict[str, Callable[[Context], None]] = {
    "/": session_page.build,
    "/record": record_page.build,
    "/datasets": datasets_page.build,
    "/checkpoints": checkpoints_page.build,
}


def create_application(config: ConsoleConfig, model: ConsoleModel, operator: Operator, *, token: str | None) -> Guard:
    """To be called once a process: NiceGUI keeps its pages for the process. token: as for ``Guard``.

    Raises ConfigurationError.
    """
    app = FastAPI(openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    teleop = load_named(TeleopConfig, ConfigKind.TELEOP, DRIVE)
    context = Context(config, teleop, model, operator)
    add_routes(app, context)
    for path, build in BUILDERS.items():
        _add_page(path, build, context)

    @ui.page("/label")
    def label(folder: str = "") -> None:
        label_page.build(context, folder)

    ui.run_with(
        app,
        title="Tenon",
        dark=None,
        message_history_length=HISTORY_MESSAGES,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
    )
    return Guard(app, token=token)


def _add_page(path: str, build: Callable[[Context], None], context: Context) -> None:
    @ui.page(path)
    def show() -> None:
        build(context)
