"""Routes beside the pages: stop, and the on-screen control, whose nonsense is no motion."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig
from tenon.console.model import ConsoleModel
from tenon.console.operator import OperatorError
from tenon.console.web.context import Context
from tenon.console.web.routes import add_routes, parse_deflection

NONSENSE = ("", "nonsense", "{}", "[1, 2]", "[1, 0, 0, 0, 0, NaN]", "[Infinity, 0, 0, 0, 0, 0]", '["x", 0, 0, 0, 0, 0]')


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


def test_each_message_is_one_twist_in_metres_per_second_and_has_its_receipt(
    browser: TestClient, robot: Robot, teleop: TeleopConfig
) -> None:
    with browser.websocket_connect("/drive") as socket:
        for deflection in ([0.5, 0, 0, 0, 0, 0], [0, -1, 0, 0, 0, 0]):
            socket.send_text(json.dumps(deflection))
            assert socket.receive_text() == ""
    speed = teleop.speed_m_s
    assert robot.velocities == [[0.5 * speed, 0, 0, 0, 0, 0], [0, -speed, 0, 0, 0, 0]]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_motion(text: str) -> None:
    assert parse_deflection(text) == [0.0] * 6


def test_deflection_is_cut_to_full() -> None:
    values = parse_deflection("[7, -7, 0.5, 0, 0, 0]")
    assert values == [1.0, -1.0, 0.5, 0.0, 0.0, 0.0]
    assert all(map(math.isfinite, values))


def test_stop_needs_no_page_and_tells_what_became_of_it(browser: TestClient, robot: Robot) -> None:
    assert browser.post("/stop").json() == {"done": True, "said": "the arm holds"}
    robot.complaint = "nobody answers"
    assert browser.post("/stop").json() == {"done": False, "said": "nobody answers"}


def test_stop_is_no_link_that_a_browser_could_follow_by_itself(browser: TestClient) -> None:
    assert browser.get("/stop").status_code == 405
