"""The keys of the page Label in a real browser, on recordings without a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tenon_console.testing import open_console

PATIENCE_MS = 60_000
LOW = {"width": 1280, "height": 420}
"""So low that the page is longer than the window."""

pytestmark = [pytest.mark.session, pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def address(record: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a console that shows one recorded run."""
    directory = tmp_path_factory.mktemp("label")
    record(directory / "runs" / "anna", 0)
    with open_console(directory / "runs", directory / "console.log") as console:
        yield console.address


@pytest.fixture
def frames(page: Page, address: str) -> Page:
    """The page with the run's only episode open."""
    page.goto(f"{address}/label?folder=anna")
    page.locator(".q-table tbody tr").first.click()
    says(page, "anna, episode_000000: frame 0 of 5")
    return page


def says(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def done_frames(page: Page) -> list[int]:
    """By the marks that are set."""
    cells = page.locator(".t-strip").first.locator("i")
    return [index for index in range(cells.count()) if "done" in (cells.nth(index).get_attribute("class") or "")]


def test_keys_label_after_a_button_was_clicked(frames: Page) -> None:
    frames.get_by_role("button", name="Never", exact=True).click()
    frames.wait_for_function("document.activeElement === document.body", timeout=PATIENCE_MS)
    for at in (1, 2, 3):
        frames.keyboard.press("ArrowRight")
        says(frames, f"frame {at} of 5")
    frames.keyboard.press("Space")
    says(frames, "frame 3 of 5, 0.30 s: done")
    assert done_frames(frames) == [3, 4, 5]


def test_keys_that_label_do_not_scroll(frames: Page) -> None:
    frames.set_viewport_size(LOW)  # type: ignore[arg-type] - a mapping of these two
    frames.get_by_role("button", name="Never", exact=True).click()
    before = frames.evaluate("scrollY")
    frames.keyboard.press("Space")
    says(frames, "s: done")
    assert frames.evaluate("scrollY") == before
