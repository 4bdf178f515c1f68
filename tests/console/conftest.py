"""A running session, the console beside it, and a real browser in front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tenon_console.testing import NoBrowserError, console_session, open_browser, open_console
from tenon_session.testing.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TIMEOUT_MS = 120_000
"""Generous: on a busy machine the first page takes a while."""
VIEWPORT = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup")
    try:
        with open_browser() as opened:
            yield opened
    except NoBrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Only where there is a browser to show it in."""
    directory = tmp_path_factory.mktemp("console")
    with Stage(console_session(directory), directory).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(stage: Stage) -> Iterator[str]:
    """Of a console that has joined the session."""
    with open_console(stage.run_directory, stage.log_directory / "console.log") as console:
        yield console.address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The session's page. A script that fails in the browser fails the test."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.set_default_navigation_timeout(TIMEOUT_MS)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert failures == []
