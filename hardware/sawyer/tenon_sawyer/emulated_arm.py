"""How a Sawyer's own controller treats commands: four modes, a timeout, a speed ratio, a stop button, collisions.

It moves a plant; the topics are the emulator's. Times are seconds of any clock that goes forward.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.types import RobotState, Vector

DEFAULT_TIMEOUT_S = 0.2
DEFAULT_SPEED_RATIO = 0.3
COLLISION_REST_S = 0.5
"""For so long the arm stays where it is after its collision detection was triggered."""


class Mode(enum.IntEnum):
    """As in intera_core_msgs/JointCommand."""

    POSITION = 1
    VELOCITY = 2
    TORQUE = 3
    TRAJECTORY = 4


class EstopButton(enum.IntEnum):
    """As in intera_core_msgs/RobotAssemblyState."""

    UNPRESSED = 0
    PRESSED = 1
    UNKNOWN = 2
    RELEASED = 3


class EstopSource(enum.IntEnum):
    """As in intera_core_msgs/RobotAssemblyState."""

    NONE = 0
    USER = 1
    ENGINE = 4


class Motors(Protocol):
    """What the controller moves: a plant."""

    arm: ArmConfig

    def follow_position(self, position_rad: Vector, velocity_rad_s: Vector | None = None) -> None: ...

    def follow_velocity(self, velocity_rad_s: Vector) -> None: ...

    def follow_torque(self, torque_nm: Vector) -> None: ...

    def hold(self) -> None: ...

    def reading(self) -> RobotState: ...


@dataclass(frozen=True, slots=True, eq=False)
class JointRequest:
    """One command. values: those that its mode needs, (n,) in the order of the arm's joints; the rest are zero."""

    mode: Mode
    position_rad: Vector
    velocity_rad_s: Vector
    effort_nm: Vector


@dataclass(slots=True)
class AssemblyState:
    """The robot as a whole: RobotAssemblyState."""

    enabled: bool = False
    stopped: bool = False
    error: bool = False
    button: EstopButton = EstopButton.UNPRESSED
    source: EstopSource = EstopSource.NONE

    @property
    def ready(self) -> bool:
        return self.enabled and not (self.stopped or self.error)


class EmulatedArm:
    """Thread-safe: commands come on the threads of connections, ``turn`` on that of the control loop."""

    def __init__(self, motors: Motors, *, collision_force_n: float) -> None:
        self._motors, self._collision_force_n = motors, collision_force_n
        self._limits_rad_s = np.array([joint.velocity_limit_rad_s for joint in motors.arm.joints])
        self._lower = np.array([joint.lower_rad for joint in motors.arm.joints])
        self._upper = np.array([joint.upper_rad for joint in motors.arm.joints])
        self._torque_limit_nm = np.array([joint.effort_limit_nm for joint in motors.arm.joints])
        self._lock = threading.RLock()
        self._commanded = threading.Condition(self._lock)
        self._answered = True
        self.state = AssemblyState()
        self.timeout_s = DEFAULT_TIMEOUT_S
        self.speed_ratio = DEFAULT_SPEED_RATIO
        self.timeouts = 0
        """How often a mode was left because commands stayed out."""
        self._request: JointRequest | None = None
        self._heard_s = 0.0
        self._set_point_rad: Vector | None = None
        self._collided_until_s: float | None = None
        self._obstructed = self._squeezed = False
        self._motors.hold()

    @property
    def collided(self) -> bool:
        return self._collided_until_s is not None

    @property
    def mode(self) -> Mode | None:
        """Of the command that is being followed; None while the arm holds."""
        return None if self._request is None else self._request.mode

    def command(self, request: JointRequest, now_s: float) -> None:
        """Takes a command; deaf while the robot is not ready, rests after a collision, or has a hand at its cuff."""
        with self._lock:
            if not self.state.ready or self.collided or self._squeezed:
                return
            if self._request is None or self._request.mode is not request.mode:
                self._set_point_rad = self._motors.reading().joint_position_rad
            self._request, self._heard_s = request, now_s
            self._answered = True
            self._commanded.notify_all()

    def wait_for_answer(self, patience_s: float) -> None:
        """In torque mode, waits for a command since the last ``turn``: time that a busy machine takes from whoever
        closes the loop is then taken from the stand as well, and does not make the arm unstable."""
        with self._commanded:
            if self.mode is Mode.TORQUE:
                self._commanded.wait_for(lambda: self._answered, patience_s)
            self._answered = False

    def enable(self, wanted: bool) -> None:
        with self._lock:
            self.state.enabled = wanted and not (self.state.stopped or self.state.error)
            self._release()

    def press_stop(self) -> None:
        """Somebody hits the red button."""
        self._stop(EstopButton.PRESSED, EstopSource.USER)

    def release_stop(self) -> None:
        """The button is turned and comes up again; the robot stays stopped until it is reset."""
        with self._lock:
            self.state.button = EstopButton.RELEASED

    def stop(self) -> None:
        """A stop by software."""
        self._stop(EstopButton.UNKNOWN, EstopSource.ENGINE)

    def reset(self) -> None:
        """Clears a stop, unless the button is still pressed; the robot is disabled afterwards."""
        with self._lock:
            if self.state.button is EstopButton.PRESSED:
                return
            self.state = AssemblyState()
            self._release()

    def obstruct(self, obstructed: bool) -> None:
        """Triggers the robot's own collision detection for as long as it lasts, as an obstacle on a link would."""
        self._obstructed = obstructed

    def squeeze(self, squeezed: bool) -> None:
        """The switch of the cuff: while it is pressed the arm gives way; let go, it stays where it is then."""
        with self._lock:
            if squeezed is not self._squeezed:
                self._squeezed = squeezed
                self._motors.hold()
                self._request, self._set_point_rad = None, None

    def turn(self, reading: RobotState, period_s: float, now_s: float) -> None:
        """One period of the control loop."""
        with self._lock:
            self._watch_for_collision(reading, now_s)
            if self._squeezed and self.state.ready and not self.collided:
                self._motors.follow_torque(np.zeros(len(self._torque_limit_nm)))
                return
            request = self._request
            if request is None:
                return
            if request.mode in (Mode.VELOCITY, Mode.TORQUE) and now_s - self._heard_s > self.timeout_s:
                self.timeouts += 1
                self._release()
                return
            self._follow(request, period_s)

    def _follow(self, request: JointRequest, period_s: float) -> None:
        if request.mode is Mode.TORQUE:
            self._motors.follow_torque(np.clip(request.effort_nm, -self._torque_limit_nm, self._torque_limit_nm))
        elif request.mode is Mode.VELOCITY:
            self._motors.follow_velocity(np.clip(request.velocity_rad_s, -self._limits_rad_s, self._limits_rad_s))
        elif request.mode is Mode.TRAJECTORY:
            position = np.clip(request.position_rad, self._lower, self._upper)
            self._motors.follow_position(position, request.velocity_rad_s)
        else:
            self._approach(request.position_rad, period_s)

    def _approach(self, target_rad: Vector, period_s: float) -> None:
        """Position mode: every joint at its speed limit times the ratio."""
        assert self._set_point_rad is not None  # a command sets it
        step_rad = self.speed_ratio * self._limits_rad_s * period_s
        way = np.clip(np.clip(target_rad, self._lower, self._upper) - self._set_point_rad, -step_rad, step_rad)
        self._set_point_rad = self._set_point_rad + way
        self._motors.follow_position(self._set_point_rad, way / period_s)

    def _watch_for_collision(self, reading: RobotState, now_s: float) -> None:
        hit = self._obstructed or float(np.linalg.norm(reading.wrench_in_base[:3])) > self._collision_force_n
        if hit:
            self._collided_until_s = now_s + COLLISION_REST_S
            self._release()
        elif self._collided_until_s is not None and now_s > self._collided_until_s:
            self._collided_until_s = None

    def _stop(self, button: EstopButton, source: EstopSource) -> None:
        with self._lock:
            self.state.enabled, self.state.stopped = False, True
            self.state.button, self.state.source = button, source
            self._release()

    def _release(self) -> None:
        """No command any more: the arm stays where it is."""
        if self._request is not None or not self.state.enabled:
            self._motors.hold()
        self._request, self._set_point_rad = None, None


def ordered(names: Sequence[str], values: Sequence[float], order: Sequence[str], base: Vector) -> Vector:
    """Values by name, in the arm's order; joints that are not named keep ``base``. Unknown names are left out."""
    result = base.copy()
    index = {name: place for place, name in enumerate(order)}
    for name, value in zip(names, values, strict=False):
        if name in index:
            result[index[name]] = value
    return result
