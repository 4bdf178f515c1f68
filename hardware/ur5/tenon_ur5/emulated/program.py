"""ur-rtde's control script, as a controller runs it: commands out of registers, acknowledgements into them.

URScript itself is not interpreted: the program is recognised, and what it does with its registers is done here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from tenon.control.geometry import matrix_from_quaternion
from tenon.control.types import Vector
from tenon_ur5.emulated.motion import ForceMode, Joints, Motion, MoveJ, MoveL, Path, Servo, Speed, SpeedCall, Stop
from tenon_ur5.emulated.registers import Registers
from tenon_ur5.frames import pose_from_controller, pose_of, pose_to_controller, turned

READY, DONE = 1, 2
STREAMED = frozenset({6, 9, 10, 11, 24, 25, 26, 27, 38, 58})
"""Commands that the script takes anew each period without waiting for the acknowledgement to be seen."""
QUIT = 255
_OFFSET = re.compile(r"# float register offset\n(\d+)")
_POINT = re.compile(r"^\s*move([jl])\(p?\[([^\]]+)\],a=([\d.e+-]+),v=([\d.e+-]+),r=", re.MULTILINE)
MARK = "rtde_control"
"""Without this in its text a script is somebody else's."""
FREEDRIVE, DAMPING = "freedrive_mode(", "force_mode_set_damping("
"""ur-rtde leaves out what the controller's software does not know; the command is acknowledged all the same."""
DAMPING_AT_START = 0.025


class ControlProgram:
    """One run of the script. Ends by itself when its watchdog hears nothing, when told to, or with ``end``."""

    def __init__(self, text: str, registers: Registers, joints: Joints, robot: Robot) -> None:
        found = _OFFSET.search(text)
        registers.offset = int(found[1]) if found else 0
        registers.forget_command()
        registers.tell_integer(0, READY)
        self._registers, self._joints, self._robot = registers, joints, robot
        self._knows_freedrive, self._knows_damping = FREEDRIVE in text, DAMPING in text
        self._damping = DAMPING_AT_START
        self._path = [_point(*match) for match in _POINT.findall(text)]
        self._motion: Motion | None = None
        self._force: ForceMode | None = None
        self._blocking = self._executing = False
        self._watchdog_s: float | None = None
        self._silent_s = 0.0
        self.why_ended = ""

    @property
    def is_running(self) -> bool:
        return not self.why_ended

    def on_input(self) -> None:
        """A client has written: the watchdog is fed."""
        self._silent_s = 0.0

    def end(self, why: str) -> None:
        self.why_ended = self.why_ended or why
        self._robot.freedrive = False

    def step(self, felt_in_base: Vector, period_s: float) -> None:
        """One period: the command in the registers, then the motion. felt_in_base: (6,) wrench on the tool."""
        self._silent_s += period_s
        if self._watchdog_s is not None and self._silent_s > self._watchdog_s:
            self.end(f"its watchdog heard nothing for {self._silent_s:.2f} s")
            return
        self._take_command()
        if not self.is_running or self._robot.freedrive:
            return
        if self._force is not None:
            self._force.felt_in_base = felt_in_base
            self._force.step(self._joints, period_s)
        elif self._motion is not None and self._motion.step(self._joints, period_s):
            self._motion = None
        elif self._motion is None:
            self._joints.velocity_rad_s = np.zeros_like(self._joints.velocity_rad_s)

    def _take_command(self) -> None:
        command = self._registers.integer(0)
        if self._blocking:
            if self._motion is None:
                self._blocking = False
                self._registers.tell_integer(0, DONE)
        elif command in STREAMED:
            self._carry_out(command)
            self._registers.tell_integer(0, READY)
        elif command == 0:
            self._executing = False
            self._registers.tell_integer(0, READY)
        elif not self._executing:
            self._executing = True
            self._blocking = self._carry_out(command)
            if not self._blocking:
                self._registers.tell_integer(0, DONE)

    def _carry_out(self, command: int) -> bool:
        """Returns whether the script stands until the motion is done."""
        if command in (1, 2, 3, 4):
            return self._move(command)
        if command == 45:
            self._motion = Path(self._path)
            return not self._registers.integer(1)
        if command in (33, 34):
            self._motion = Stop(self._registers.number(0))
            return not self._registers.integer(1)
        if command in (15, 16):
            self._motion = Stop()
            return True
        action = _ACTIONS.get(command)
        if action is not None:
            action(self)
        return False

    def _move(self, command: int) -> bool:
        registers, joints = self._registers, self._joints
        speed, acceleration = registers.number(6), registers.number(7)
        values = np.array(registers.numbers(0))
        if command == 1:
            self._motion = MoveJ(joints, values, speed, acceleration)
        elif command == 2:
            self._motion = MoveJ(joints, joints.inverse(pose_from_controller(values)), speed, acceleration)
        elif command == 3:
            self._motion = MoveL(joints, pose_from_controller(values), speed, acceleration)
        else:
            self._motion = MoveL(joints, joints.kinematics.forward(values), speed, acceleration)
        return not registers.integer(1)

    # --- what needs no time -------------------------------------------------------------------------------------------

    def _force_mode(self) -> None:
        registers = self._registers
        frame = pose_from_controller(registers.numbers(0))
        selection = np.array([registers.integer(2 + axis) for axis in range(6)], dtype=np.float64)
        wrench, limits = np.array(registers.numbers(6)), np.array(registers.numbers(12))
        damping = self._damping if self._force is None else self._force.damping
        rotation = matrix_from_quaternion(frame.quaternion_xyzw)
        self._force = ForceMode(rotation, selection, wrench, limits, damping=damping)

    def _end_force_mode(self) -> None:
        self._force, self._motion = None, Stop()

    def _set_damping(self) -> None:
        """Counts from the next time that force mode is entered."""
        if self._knows_damping:
            self._damping = self._registers.number(0)

    def _speed_joints(self) -> None:
        self._speed(np.array(self._registers.numbers(0)), twist=False)

    def _speed_tool(self) -> None:
        self._speed(turned(np.array(self._registers.numbers(0))), twist=True)

    def _speed(self, target: Vector, *, twist: bool) -> None:
        call = SpeedCall(target, self._registers.number(6), self._registers.number(7), twist)
        if isinstance(self._motion, Speed):
            self._motion.take(call)
        else:
            self._motion = Speed(call)

    def _servo_joints(self) -> None:
        self._motion = Servo(np.array(self._registers.numbers(0)), self._registers.number(9))

    def _servo_tool(self) -> None:
        target = self._joints.inverse(pose_from_controller(self._registers.numbers(0)))
        self._motion = Servo(target, self._registers.number(9))

    def _set_payload(self) -> None:
        values = self._registers.values
        values["payload"] = self._registers.number(0)
        values["payload_cog"] = self._registers.numbers(1, 3)

    def _set_tcp(self) -> None:
        self._robot.tool = self._registers.numbers(0)
        self._joints.set_tool(pose_of(self._robot.tool))

    def _tell_tcp(self) -> None:
        self._registers.tell_numbers(0, self._robot.tool)

    def _tell_step_time(self) -> None:
        self._registers.tell_numbers(0, [self._robot.period_s])

    def _tell_forward(self) -> None:
        self._registers.tell_numbers(0, pose_to_controller(self._joints.tcp_in_base()))

    def _tell_forward_of(self) -> None:
        pose = self._joints.kinematics.forward(np.array(self._registers.numbers(0)))
        self._registers.tell_numbers(0, pose_to_controller(pose))

    def _tell_inverse(self) -> None:
        self._registers.tell_numbers(0, self._joints.inverse(pose_from_controller(self._registers.numbers(0))))

    def _tell_inverse_near(self) -> None:
        target, near = pose_from_controller(self._registers.numbers(0)), np.array(self._registers.numbers(6))
        self._registers.tell_numbers(0, self._joints.kinematics.inverse(target, near).joint_position_rad)

    def _tell_yes(self) -> None:
        self._registers.tell_integer(1, 1)

    def _tell_steady(self) -> None:
        self._registers.tell_integer(1, int(not self._joints.velocity_rad_s.any()))

    def _tell_nothing(self) -> None:
        self._registers.tell_numbers(0, [0.0] * 6)

    def _start_watchdog(self) -> None:
        frequency_hz = self._registers.number(0)
        self._watchdog_s = 1.0 / frequency_hz if frequency_hz > 0.0 else None
        self._silent_s = 0.0

    def _teach(self) -> None:
        self._robot.freedrive = True

    def _end_teach(self) -> None:
        self._robot.freedrive = False
        self._motion = None

    def _freedrive(self) -> None:
        if self._knows_freedrive:
            self._teach()

    def _end_freedrive(self) -> None:
        if self._knows_freedrive:
            self._end_teach()

    def _tell_freedrive(self) -> None:
        if self._knows_freedrive:
            self._registers.tell_integer(1, int(self._robot.freedrive))

    def _zero_force(self) -> None:
        self._robot.zero_force()

    def _protective_stop(self) -> None:
        self._robot.protective_stop()

    def _quit(self) -> None:
        self.end("it was told to stop")


class Robot:
    """What the program does to the rest of its controller. tool: the TCP in the flange, six numbers."""

    def __init__(self, period_s: float, zero_force: Callable[[], None], protective_stop: Callable[[], None]) -> None:
        self.period_s = period_s
        self.zero_force, self.protective_stop = zero_force, protective_stop
        self.tool = [0.0] * 6
        self.freedrive = False


_ACTIONS: dict[int, Callable[[ControlProgram], None]] = {
    6: ControlProgram._force_mode,
    7: ControlProgram._end_force_mode,
    8: ControlProgram._zero_force,
    9: ControlProgram._speed_joints,
    10: ControlProgram._speed_tool,
    11: ControlProgram._servo_joints,
    17: ControlProgram._set_payload,
    18: ControlProgram._teach,
    19: ControlProgram._end_teach,
    20: ControlProgram._set_damping,
    24: ControlProgram._servo_tool,
    26: ControlProgram._tell_step_time,
    29: ControlProgram._set_tcp,
    30: ControlProgram._tell_inverse_near,
    31: ControlProgram._protective_stop,
    35: ControlProgram._start_watchdog,
    36: ControlProgram._tell_yes,
    37: ControlProgram._tell_yes,
    38: ControlProgram._tell_nothing,
    40: ControlProgram._tell_tcp,
    43: ControlProgram._tell_forward,
    44: ControlProgram._tell_forward_of,
    46: ControlProgram._tell_inverse,
    47: ControlProgram._tell_steady,
    52: ControlProgram._freedrive,
    53: ControlProgram._end_freedrive,
    54: ControlProgram._tell_freedrive,
    QUIT: ControlProgram._quit,
}
"""By the numbers that ur-rtde 1.6 gives its commands; one that is not here is acknowledged and does nothing."""


def _point(kind: str, values: str, acceleration: str, speed: str) -> Callable[[Joints], Motion]:
    """One line of a path that ur-rtde has written into the script."""
    numbers = np.array([float(value) for value in values.split(",")])
    if kind == "j":
        return lambda joints: MoveJ(joints, numbers, float(speed), float(acceleration))
    return lambda joints: MoveL(joints, pose_from_controller(numbers), float(speed), float(acceleration))
