"""A running session, the console beside it, and a real browser in front; or one page alone, and recordings for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig
from tenon.console.model import ConsoleModel
from tenon.console.web.context import Context
from tenon.data.encode import MessageEncoder, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.transitions import Observation, Transition
from tenon_console.testing import NoBrowserError, console_session, open_browser, open_console
from tenon_session.testing.stage import Stage

if TYPE_CHECKING:
    from nicegui.testing import User
    from playwright.sync_api import Browser, Page

TIMEOUT_MS = 120_000
"""Generous: on a busy machine the first page takes a while."""
VIEWPORT = {"width": 1280, "height": 800}
ROOT = Path(__file__).parents[2]
SHARE = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
TYPE = "tenon_msgs/msg/Transition"
STEPS, PERIOD_NS, SIZE_PX = 6, 100_000_000, 64

Record = Callable[[Path, int], Path]
Simulate = Callable[[Callable[[Context], None], Context, Callable[["User"], Awaitable[None]]], None]


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


@pytest.fixture(scope="session")
def record() -> Record:
    """Records an episode with pictures below a run directory, by its number. Its last step succeeds."""
    topic = TopicSpec("/transition", TYPE, full_definition(TYPE, SHARE))
    encode = MessageEncoder(topic)

    def write(run: Path, number: int) -> Path:
        contract = EpisodeContract(number=number, robot="ur5", task="usb", session=run.name, session_episode=number)
        writer = EpisodeWriter(run / "episodes", contract, [topic])
        image = np.full((SIZE_PX, SIZE_PX, 3), 100, np.uint8)
        for step in range(STEPS):
            transition = Transition(
                session=run.name,
                episode=number,
                step=step,
                observation=Observation(np.zeros(3, np.float32), image),
                action=np.zeros(2, np.float32),
                reward=float(step == STEPS - 1),
                next_observation=Observation(np.zeros(3, np.float32), image),
                terminated=False,
                truncated=step == STEPS - 1,
                success=step == STEPS - 1,
                stamp_ns=(step + 1) * PERIOD_NS,
            )
            data, stamp_ns = encode(transition_fields(transition, train=True)), transition.stamp_ns
            writer.write(topic.name, data, log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
        return writer.finish(EpisodeOutcome(result="success"))

    return write


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Of a console that no session has been seen by, and whose runs lie in the test's own folder."""
    config = ConsoleConfig(runs=tmp_path)
    teleop = load_named(TeleopConfig, ConfigKind.TELEOP, "console")
    return Context(config, teleop, ConsoleModel(config), operator=None)  # type: ignore[arg-type] - it is not asked


@pytest.fixture
def simulate() -> Simulate:
    """Opens one page without a browser, and lets a script act on it."""

    def run(build: Callable[[Context], None], context: Context, act: Callable[[User], Awaitable[None]]) -> None:
        user_simulation = pytest.importorskip("nicegui.testing.user_simulation").user_simulation

        async def script() -> None:
            async with user_simulation(lambda: build(context)) as user:
                await user.open("/")
                await act(user)

        asyncio.run(script())

    return run
