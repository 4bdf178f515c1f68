"""`tenon goal-image`: the picture of the finished state that the reward "goal_image" compares with."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from tenon.cli.console import note
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tenon.session.stand import Stand
    from tenon.simulation.insertion import InsertionSimulation

CAMERA_NAME = "wrist"
WAIT_S = 10.0
PLUG_PERIODS = 100
PRESS_M = 0.005
NODE_NAME = "_tenon_goal_image"


@dataclass(frozen=True)
class GoalImage:
    """Take the picture of the finished state: plug the connector in by hand, then run this beside the camera's node.

    With --simulated the connector is plugged in by the simulation of the session instead. A session uses the picture by
    `reward: goal_image` and `goal_image: FILE`. Take it anew after any move of the camera, the light or the socket.
    """

    out: Path
    """Picture to write (.png). One that is there already is kept: choose another name."""
    simulated: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """From the simulation; no graph is needed."""
    session: str = "sim"
    """Session whose robot, task and camera are simulated."""
    robot: str | None = None
    """Robot, where not the session's."""
    task: str | None = None
    """Task, where not the session's."""

    def run(self) -> int:
        if self.out.suffix != ".png":
            raise UsageError(f"--out {self.out}: the picture must not lose anything: name a .png file")
        if self.out.exists():
            raise UsageError(f"--out {self.out}: there is a picture already: choose another name")
        if not self.simulated and (self.robot or self.task):
            raise UsageError("--robot and --task are for --simulated; on the graph the picture comes from its camera")
        rgb = self._simulated() if self.simulated else _from_graph()
        write_picture(self.out, rgb)
        height, width, _ = rgb.shape
        note(f"{self.out}: {width} x {height} pixels. Use it with reward: goal_image, goal_image: {self.out}")
        return SUCCESS

    def _simulated(self) -> NDArray[np.uint8]:
        from tenon.configuration.resolve import resolve_session
        from tenon.session.stand import load_stand
        from tenon.simulation.insertion import InsertionSimulation

        given = {"robot": self.robot, "task": self.task}
        stand = load_stand(resolve_session(self.session, {key: value for key, value in given.items() if value}))
        simulation = InsertionSimulation(stand.arm, stand.connector, stand.task)
        try:
            return picture_of_plugged(simulation, stand)
        finally:
            simulation.close()


def picture_of_plugged(simulation: InsertionSimulation, stand: Stand) -> NDArray[np.uint8]:
    """Plugs the connector in and returns what the wrist camera sees then. Raises CommandError."""
    from tenon.control.geometry import pose

    cameras = [camera for camera in stand.cameras if camera.name == CAMERA_NAME]
    if not cameras:
        raise CommandError(f"session {stand.session.name!r} has no camera {CAMERA_NAME!r}: add it to its cameras")
    simulation.reset(0, goal_error_scale=0.0)
    goal = simulation.goal_in_base
    x_m, y_m, z_m = goal.position_m
    pressed = pose((x_m, y_m, z_m - PRESS_M), goal.quaternion_xyzw)
    substeps = round(stand.task.control_period_s / stand.task.scene.physics.timestep_s)
    for target in (goal, pressed, goal):  # down, past the retention, and at rest
        for _ in range(PLUG_PERIODS):
            simulation.step(target, substeps)
    if not simulation.electrical():
        raise CommandError(f"task {stand.session.task!r}: the simulated connector did not go home")
    return simulation.render(CAMERA_NAME, cameras[0].width, cameras[0].height)


def _from_graph() -> NDArray[np.uint8]:
    from tenon.data.decode import image_to_array
    from tenon_graph import contract
    from tenon_session import introspection

    pictures: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with introspection.spinning_node(_create_node) as node:
        topic = contract.CAMERA_IMAGE
        node.create_subscription(topic.type, topic.name, pictures.put, topic.qos)
        try:
            message = pictures.get(timeout=WAIT_S)
        except queue.Empty:
            raise CommandError(
                f"no picture on {topic.name} within {WAIT_S:g} s: start the session or its camera, and look with "
                f"tenon topic hz {topic.name}"
            ) from None
    return image_to_array(message)


def _create_node() -> Any:
    from rclpy.node import Node

    return Node(NODE_NAME, start_parameter_services=False, enable_rosout=False)


def write_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Writes a picture so that it is there whole or not at all. Raises CommandError."""
    import cv2

    from tenon.data.mapped_array import write_beside

    encoded, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise CommandError(f"{path}: the picture could not be encoded")
    write_beside(path, data.tobytes())
