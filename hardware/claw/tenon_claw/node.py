"""The claw on the graph: an arm's node, whose pose is the valve's and whose stand the valve's own motor resets."""

from __future__ import annotations

import sys
import time
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

HOLD_PATIENCE_S = 0.5
"""So long the fingers may be held before the valve's motor is stopped as well."""


class ClawArm(RealArm):
    """tcp/pose tells how far the valve is turned. task/reset turns it to where the episode begins, and answers once it
    is there."""

    def __init__(self) -> None:
        super().__init__(create_driver)
        assert isinstance(self.setup.job, ValveJob) and isinstance(self._driver, ClawDriver)
        self._task = self.setup.job.task
        self._turned: Future | None = None
        self._moved_s = 0.0
        if self.setup.robot.emulator is not None:  # else the arm's node offers it already
            self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)

    def _turn(self) -> None:
        super()._turn()
        if self._turned is None:
            return
        if not self._driver.valve_turns_back:
            self._answer("")
        elif self._is_told_to_hold():
            self._driver.let_valve_go()
            self._answer("the claw is told to hold, so the valve's motor has stopped too: see the supervisor")

    def _is_told_to_hold(self) -> bool:
        """A command that is late is no reason yet to let the valve go."""
        now_s = time.monotonic()
        if not self._impedance.loop.holding:
            self._moved_s = now_s
        return now_s - self._moved_s > HOLD_PATIENCE_S

    def _answer(self, message: str) -> None:
        assert self._turned is not None  # whoever calls has seen to it
        turned, self._turned = self._turned, None
        turned.set_result(message)

    def _publish(self, state: RobotState) -> None:
        super()._publish(replace(state, tcp_in_base=valve_pose(self._driver.valve_rad)))

    def _on_fault(self, fault: ArmFaultError) -> None:
        super()._on_fault(fault)
        if self._turned is not None:
            self._answer(str(fault))

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
        self._turned, self._moved_s = Future(), time.monotonic()
        response.message = await self._turned
        response.success = not response.message
        return response


def main(args: list[str] | None = None) -> int:
    return run(ClawArm, args, spin=RealArm.spin, errors=(DriverError, ArmFaultError))


if __name__ == "__main__":
    sys.exit(main())
