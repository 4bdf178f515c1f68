"""The cameras of a simulated stand on the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from tenon.session.frames import simulated_lens
from tenon.session.setup import SessionSetup
from tenon.simulation.insertion import SimulationError
from tenon.simulation.scene import OVERVIEW_CAMERA, WRIST_CAMERA
from tenon_graph.cameras import CameraPublisher

Draw = Callable[[str, int, int], NDArray[np.uint8]]
"""(height, width, 3) RGB of a camera, by its name, width and height in pixels."""
THERE = (WRIST_CAMERA, OVERVIEW_CAMERA)


class SimulatedCameras:
    """Those that a session names: the wrist's, which policies see, and the others while somebody looks.

    works: switched off by a test, for the wrist's alone. Raises SimulationError for one that the scene has not.
    """

    def __init__(self, node: Node, setup: SessionSetup, draw: Draw) -> None:
        self._draw, self.works = draw, True
        cameras = {camera.name: camera for camera in setup.stand.cameras if camera.source == "simulation"}
        if unknown := sorted(cameras.keys() - set(THERE)):
            raise SimulationError(
                f"the simulated stand has no camera {', '.join(unknown)}, only {' and '.join(THERE)}: leave it out of "
                f"the session's cameras"
            )
        wrist = cameras.pop(WRIST_CAMERA, None)
        self._wrist = None if wrist is None else (wrist, CameraPublisher(node, WRIST_CAMERA))
        self._lens = None if wrist is None else simulated_lens(setup.connector, wrist)
        self._others = [(camera, CameraPublisher(node, name, further=True)) for name, camera in cameras.items()]

    def publish(self, stamp_ns: int) -> None:
        if self._wrist is not None and self.works:
            camera, publisher = self._wrist
            publisher.publish(stamp_ns, self._draw(camera.name, camera.width, camera.height), self._lens)
        for camera, publisher in self._others:
            if publisher.is_watched:
                publisher.publish(stamp_ns, self._draw(camera.name, camera.width, camera.height))
