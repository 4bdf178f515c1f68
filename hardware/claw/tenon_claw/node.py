"""The claw on the graph: an arm's node, whose pose is the valve's and whose stand the valve's own motor resets."""

from __future__ import annotations

import sys
from dataclasses import replace

from rclpy.task import Future
from tenon_msgs.srv import ResetTask

from tenon.control.drivers import ArmFaultError, DriverError
from tenon.control.types import RobotState
from tenon.session.valve_job import ValveJob, valve_pose
from tenon_claw.driver import ClawDriver
from tenon_claw.setup import create_driver
from tenon_control.real_arm import RealArm
from tenon_graph import contract
from tenon_graph.node import run


class ClawArm(RealArm):
    """tcp/pose tells how far the valve is turned. task/reset turns it to where the episode begins, and answers once it
    is there."""

    def __init__(self) -> None:
        super().__init__(create_driver)
        assert isinstance(self.setup.job, ValveJob) and isinstance(self._driver, ClawDriver)
        self._task = self.setup.job.task
        self._turned: Future | None = None
        if self.setup.robot.emulator is not None:  # else the arm's node offers it already
            self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)

    def _turn(self) -> None:
        super()._turn()
        if self._turned is not None and not self._driver.valve_turns_back:
            turned, self._turned = self._turned, None
            turned.set_result("")

    def _publish(self, state: RobotState) -> None:
        super()._publish(replace(state, tcp_in_base=valve_pose(self._driver.valve_rad)))

    def _on_fault(self, fault: ArmFaultError) -> None:
        super()._on_fault(fault)
        if self._turned is not None:
            turned, self._turned = self._turned, None
            turned.set_result(str(fault))

    async def _on_reset_task(self, request: ResetTask.Request, response: ResetTask.Response) -> ResetTask.Response:
        if self._turned is not None or self._fault is not None:
            response.message = str(self._fault or "the valve is being turned back already")
            return response
        try:
            self._driver.turn_valve(self._task.draw(request.seed).valve_rad)
        except ArmFaultError as fault:
            self._on_fault(fault)
            response.message = str(fault)
            return response
        self._turned = Future()
        response.message = await self._turned
        response.success = not response.message
        return response


def main(args: list[str] | None = None) -> int:
    return run(ClawArm, args, spin=RealArm.spin, errors=(DriverError, ArmFaultError))


if __name__ == "__main__":
    sys.exit(main())
