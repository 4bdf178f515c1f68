"""The stand behind an emulated robot: its device on the device's own protocol, and what stands beside a real arm.

The arm's driver knows nothing of this node; it talks to the emulator as it talks to the device.
"""

from __future__ import annotations

import sys

import numpy as np
from std_srvs.srv import SetBool
from tenon_msgs.msg import ElectricalState
from tenon_msgs.srv import GuideHand, Push, ResetTask

from tenon.simulation.insertion import SimulationError
from tenon.simulation.rendering import RenderingError
from tenon_graph import contract
from tenon_graph.conversions import to_stamp
from tenon_graph.node import GraphNode, run, spin_and_drain
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_mujoco.cameras import SimulatedCameras
from tenon_mujoco.emulation import EmulatedTime, EmulatorError, create_emulator
from tenon_mujoco.guiding import guide
from tenon_mujoco.plant import Plant

DETECTOR_RATE_HZ = 100.0
WATCH_PERIOD_S = 0.1


class EmulatedStand(GraphNode):
    """Plant and emulator on a thread in real time; camera, detector and the stand's reset on the graph.

    The detector is here only where the robot's file says so: a stand without one is emulated without one.
    """

    def __init__(self) -> None:
        super().__init__("emulated_stand")
        prefer_realtime(ARM_PRIORITY)
        setup, session = self.setup, self.setup.config
        self._plant = Plant(setup.arm, setup.connector, setup.task, seed=session.seed)
        emulator = create_emulator(setup.robot, self._plant)
        self._eye = self._plant.eye()
        self._cameras = SimulatedCameras(self, setup, self._eye.frame)
        self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)
        self.create_service(Push, contract.SIMULATION_PUSH_SERVICE, self._on_push)
        self.create_service(GuideHand, contract.SIMULATION_HAND_SERVICE, self._on_hand)
        self.create_service(SetBool, contract.SIMULATION_CAMERA_SERVICE, self._on_camera_switch)
        self.create_timer(1.0 / session.camera_rate_hz, self._on_camera)
        if setup.robot.detector == "node":
            self._electrical_publisher = self.advertise(contract.TASK_ELECTRICAL)
            self.create_timer(1.0 / DETECTOR_RATE_HZ, self._on_detector)
        self.create_timer(WATCH_PERIOD_S, self._on_watch)
        self._time = EmulatedTime(self._plant, emulator)
        self._time.__enter__()

    def destroy_node(self) -> None:
        self._time.__exit__(None, None, None)
        self._eye.close()
        super().destroy_node()

    def _on_watch(self) -> None:
        if self._time.failure:
            raise SimulationError(self._time.failure)

    def _on_camera(self) -> None:
        self._cameras.publish(self.now_ns())

    def _on_detector(self) -> None:
        msg = ElectricalState(connected=self._plant.electrical())
        msg.header.stamp = to_stamp(self.now_ns())
        self._electrical_publisher.publish(msg)

    def _on_reset_task(self, request: ResetTask.Request, response: ResetTask.Response) -> ResetTask.Response:
        self._plant.prepare_episode(request.seed)
        response.success = True
        return response

    def _on_push(self, request: Push.Request, response: Push.Response) -> Push.Response:
        force_n = np.array((request.force_n.x, request.force_n.y, request.force_n.z))
        if np.isfinite(force_n).all() and np.isfinite(request.duration_s):
            self._plant.push(force_n, request.duration_s)
        else:
            response.message = f"a push needs a finite force and duration, got {force_n} N, {request.duration_s} s"
        response.success = not response.message
        response.began = to_stamp(self.now_ns())
        return response

    def _on_hand(self, request: GuideHand.Request, response: GuideHand.Response) -> GuideHand.Response:
        return guide(request, response, self._plant.seated_in_base, self._plant.guide)

    def _on_camera_switch(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._cameras.works = request.data
        response.success = True
        return response


def main(args: list[str] | None = None) -> int:
    """It lives a little longer than the session, as a device does: the driver takes its leave in order."""
    return run(EmulatedStand, args, spin=spin_and_drain, errors=(RenderingError, SimulationError, EmulatorError))


if __name__ == "__main__":
    sys.exit(main())
