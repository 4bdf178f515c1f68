"""Routes beside the pages: stop, and the on-screen control, whose nonsense is no motion."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketTestSession

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig
from tenon.console.drive import LATE_S
from tenon.console.model import ConsoleModel
from tenon.console.operator import OperatorError
from tenon.console.web.context import Context
from tenon.console.web.routes import LATE, add_routes

PERIOD_S = 1.0 / 30.0


class Robot:
    """Takes what is asked of it."""

    def __init__(self) -> None:
        self.velocities: list[list[float]] = []
        self.complaint = ""

    def drive(self, velocity: list[float]) -> None:
        self.velocities.append(velocity)

    def stop(self) -> str:
        if self.complaint:
            raise OperatorError(self.complaint)
        return "the arm holds"


@pytest.fixture
def robot() -> Robot:
    return Robot()


@pytest.fixture
def teleop() -> TeleopConfig:
    return load_named(TeleopConfig, ConfigKind.TELEOP, "console")


@pytest.fixture
def browser(robot: Robot, teleop: TeleopConfig) -> Iterator[TestClient]:
    config, app = ConsoleConfig(), FastAPI()
    add_routes(app, Context(config, teleop, ConsoleModel(config), robot))  # type: ignore[arg-type]
    with TestClient(app) as client:
        yield client


def say(socket: WebSocketTestSession, sent_s: float, deflection: list[float] | None = None) -> str:
    """Returns the receipt."""
    content = {} if deflection is None else {"deflection": deflection}
    socket.send_text(json.dumps({**content, "sent_ms": 1000.0 * sent_s}))
    return socket.receive_text()


def test_each_message_is_one_twist_in_metres_per_second_and_has_its_receipt(
    browser: TestClient, robot: Robot, teleop: TeleopConfig
) -> None:
    with browser.websocket_connect("/drive") as socket:
        for number, deflection in enumerate(([0.5, 0, 0, 0, 0, 0], [0, -1, 0, 0, 0, 0])):
            assert say(socket, number * PERIOD_S, deflection) == ""
    speed = teleop.speed_m_s
    assert robot.velocities == [[0.5 * speed, 0, 0, 0, 0, 0], [0, -speed, 0, 0, 0, 0]]


def test_motion_that_a_stalled_network_brings_late_moves_nothing(browser: TestClient, robot: Robot) -> None:
    up = [0.0, 0, 1, 0, 0, 0]
    with browser.websocket_connect("/drive") as socket:
        begin_s = time.monotonic()
        assert say(socket, 0.0) == ""
        assert robot.velocities == []  # the first message tells the time alone
        assert say(socket, PERIOD_S, up) == ""
        time.sleep(3 * LATE_S)
        assert say(socket, 2 * PERIOD_S, up) == LATE
        assert say(socket, 3 * PERIOD_S, up) == LATE
        assert len(robot.velocities) == 1
        assert say(socket, time.monotonic() - begin_s, up) == ""  # the key is pressed anew
    assert len(robot.velocities) == 2


def test_message_without_a_time_moves_nothing(browser: TestClient, robot: Robot) -> None:
    with browser.websocket_connect("/drive") as socket:
        socket.send_text("[0, 0, 1, 0, 0, 0]")
        assert socket.receive_text() == LATE
    assert robot.velocities == []


def test_stop_needs_no_page_and_tells_what_became_of_it(browser: TestClient, robot: Robot) -> None:
    assert browser.post("/stop").json() == {"done": True, "said": "the arm holds"}
    robot.complaint = "nobody answers"
    assert browser.post("/stop").json() == {"done": False, "said": "nobody answers"}


def test_stop_is_no_link_that_a_browser_could_follow_by_itself(browser: TestClient) -> None:
    assert browser.get("/stop").status_code == 405
