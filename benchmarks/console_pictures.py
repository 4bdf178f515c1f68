"""The pictures of docs/console.md: a session that trains in simulation, and the console's pages in a headless Chromium.

python benchmarks/console_pictures.py docs/console
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from playwright.sync_api import Page
from tenon_msgs.msg import SessionState

from tenon_console.testing import console_session, open_browser, open_console
from tenon_graph import contract
from tenon_session.testing.stage import Stage

VIEWPORT = {"width": 1280, "height": 800}
TABLET = {"width": 820, "height": 1180}
WIDTH_PX = 960
"""Of the files."""
TIMEOUT_MS = 120_000
SETTLE_MS = 4000
RUN_MS = 30_000
"""Long enough for the plots to fill."""
HORIZON_STEPS = 60


@dataclass(frozen=True)
class Options:
    """folder: where the files go; those of the same names are replaced."""

    folder: tyro.conf.Positional[Path]


class Album:
    """Takes pictures of a page."""

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self.page, self._address, self._folder = page, address, folder

    def take(self, name: str, path: str, prepare: Callable[[Page], None] = lambda page: None) -> None:
        self.page.goto(f"{self._address}{path}")
        self.page.wait_for_timeout(SETTLE_MS)
        prepare(self.page)
        self.page.wait_for_timeout(SETTLE_MS)
        self.keep(name)

    def keep(self, name: str) -> None:
        """The page as it is, smaller, as a PNG."""
        picture = cv2.imdecode(np.frombuffer(self.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        height = round(picture.shape[0] * WIDTH_PX / picture.shape[1])
        small = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(self._folder / f"{name}.png"), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def first_row(page: Page) -> None:
    page.locator(".q-table tbody tr").first.click()


def label(page: Page) -> None:
    page.locator(".q-select").first.click()
    page.locator(".q-menu .q-item").first.click()
    page.locator(".q-table tbody tr").first.wait_for()
    first_row(page)
    page.get_by_text("frame 0 of").wait_for()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.get_by_text("frame 40 of").wait_for()
    page.get_by_role("button", name="Success from here on").click()


def main(options: Options) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        session = console_session(place, horizon_steps=HORIZON_STEPS)
        with (
            Stage(session, place).open() as stage,
            open_console(place, place / "console.log") as console,
            open_browser() as browser,
        ):
            page = browser.new_page(viewport=VIEWPORT)
            page.set_default_timeout(TIMEOUT_MS)
            album = Album(page, console.address, options.folder)
            page.goto(console.address)
            page.get_by_role("button", name="Start", exact=True).click()
            stage.probe.wait_for(lambda: stage.probe.session.phase == SessionState.RUNNING, "the first step")
            page.wait_for_timeout(RUN_MS)
            album.keep("session")
            album.take("record", "/record")
            album.take("checkpoints", "/checkpoints", first_row)
            album.take("datasets", "/datasets", first_row)
            album.take("label", "/label", label)
            stage.kill("reward_node")
            page.goto(console.address)
            page.get_by_text("reward_node is gone").first.wait_for()
            stage.probe.wait_for(lambda: stage.probe.session.phase == SessionState.FAULT, "the fault")
            page.wait_for_timeout(SETTLE_MS)
            album.keep("lost-node")
            page.set_viewport_size(TABLET)
            page.get_by_label("light or dark").click()
            page.wait_for_timeout(SETTLE_MS)
            album.keep("tablet-dark")
            stage.probe.trigger(contract.STOP_SERVICE)
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
