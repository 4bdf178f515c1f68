"""The node of the simulated arm: how often it shows pictures, and how fast its time goes, at rates of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from sensor_msgs.msg import Image

from tenon.configuration.resolve import config_root
from tenon.simulation.insertion import SimulationError
from tenon_graph import contract
from tenon_mujoco.node import MujocoArm


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., MujocoArm]]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    nodes: list[MujocoArm] = []

    def start(**changes: Any) -> MujocoArm:
        session = yaml.safe_load((config_root() / "sessions" / "sim.yaml").read_text())
        path = tmp_path / "session.yaml"
        path.write_text(yaml.safe_dump({**session, "task": "easy", "cameras": ["wrist"], **changes}))
        rclpy.init(args=["--ros-args", "-p", f"session:={path}"])
        nodes.append(MujocoArm())
        return nodes[-1]

    yield start
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def turn(arm: MujocoArm, times: int) -> None:
    state = arm._driver.read()
    for _ in range(times):
        state = arm._turn(state)
        arm._publish(state)


def test_a_camera_of_30_hz_shows_30_pictures_a_second(
    start: Callable[..., MujocoArm], monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = start(camera_rate_hz=30.0)
    shown: list[int] = []
    monkeypatch.setattr(arm._cameras, "publish", shown.append)
    turn(arm, 200)
    assert len(shown) == 60


def test_camera_beside_the_stand_is_drawn_while_somebody_looks_and_no_longer(
    start: Callable[..., MujocoArm],
) -> None:
    arm, seen, drawn = start(cameras=["wrist", "overview"]), [], []
    draw = arm._cameras._draw

    def counted(camera: str, *size: int) -> Any:
        drawn.append(camera)
        return draw(camera, *size)

    arm._cameras._draw = counted
    turn(arm, 20)
    assert set(drawn) == {"wrist"}
    subscription = arm.create_subscription(Image, "overview/camera/image_raw", seen.append, contract.SENSOR)
    turn(arm, 20)
    while len(seen) < 2:
        arm._executor_of_both.spin_once(timeout_sec=1.0)
    assert (seen[-1].width, seen[-1].height) == (640, 480)
    assert seen[-1].header.frame_id == "overview_camera_optical_frame"
    arm.destroy_subscription(subscription)
    drawn.clear()
    turn(arm, 20)
    assert set(drawn) == {"wrist"}


def test_camera_that_the_scene_has_not_is_named(start: Callable[..., MujocoArm], tmp_path: Path) -> None:
    side = tmp_path / "side.yaml"
    side.write_text("{name: side, source: simulation, width: 64, height: 64, rate_hz: 10.0}")
    with pytest.raises(SimulationError, match="no camera side, only wrist and overview"):
        start(cameras=["wrist", str(side)])


@pytest.mark.parametrize("state_rate_hz", [100.0, 400.0, 1000.0])
def test_time_is_paced_by_what_the_physics_advanced(
    start: Callable[..., MujocoArm], monkeypatch: pytest.MonkeyPatch, state_rate_hz: float
) -> None:
    """At 1000 Hz a turn is one step of the physics, of 2 ms."""
    arm = start(state_rate_hz=state_rate_hz, inner_rate_hz=1000.0, cameras=[])
    turns = iter(range(20))
    paced: list[int] = []

    def delay_s(advanced_ns: int, wall_s: float, *, factor: float | None = None) -> float:
        paced.append(advanced_ns)
        return 0.0

    monkeypatch.setattr(arm._pacer, "delay_s", delay_s)
    monkeypatch.setattr(arm._lockstep, "remaining_s", lambda wall_s: 0.0)
    monkeypatch.setattr("tenon_mujoco.node.rclpy.ok", lambda: next(turns, None) is not None)
    arm.spin()
    assert len(paced) >= 5
    assert sum(paced) == arm._driver.time_ns
