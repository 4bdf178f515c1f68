"""A Sawyer behind the interface of all arms."""

from __future__ import annotations

import logging
import time

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverError, DriverState, expect
from tenon.control.geometry import rotate
from tenon.control.joint_impedance import JointImpedance
from tenon.control.kinematics import InverseKinematicsConfig, Kinematics
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState, Vector
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.readings import JointReading
from tenon_sawyer.robot_link import RobotLink

LOG = logging.getLogger(__name__)
TRACKING = InverseKinematicsConfig(iterations=20, position_tolerance_m=1e-5, rotation_tolerance_rad=1e-5)
"""From one turn to the next a set point moves by fractions of a millimetre."""
STEP_LIMIT_RAD = 0.2
"""A joint that would have to turn further than this in one period cannot: the set point is out of reach."""
FIRST_READING_S = 0.2
"""For the first reading of a robot that is back; it may still tell them at its own slow rate."""
NEWS_S = 0.5
"""For the robot's word of its state, once its joints' states come again; it tells that 100 times a second."""
LONG_PERIOD_S = 0.05
"""A turn that was later than this counts as one of this length: the integral must not leap."""
NETWORK_FAULTS = (ArmFaultKind.CONNECTION_LOST, ArmFaultKind.BAD_DATA)
"""A network that loses or delays readings does the same to commands."""


class SawyerDriver:
    """Compliant by joint impedance in torque mode, or hard by the robot's own servos. Not thread-safe."""

    def __init__(self, arm: ArmConfig, tool: Pose, settings: DriverSettings) -> None:
        """tool: the TCP in the flange. Nothing is reached yet. Raises ValueError for gains of another arm."""
        if settings.impedance.size != len(arm.joints):
            raise ValueError(f"impedance is for {settings.impedance.size} joints, {arm.name} has {len(arm.joints)}")
        self._settings = settings
        self._names = arm.joint_names
        self._kinematics = Kinematics(arm, tool)
        self._hand = Kinematics(arm)
        self._impedance = JointImpedance(settings.impedance)
        self._state = DriverState.UNCONFIGURED
        self._link: RobotLink | None = None
        self._connects = self._garbage = 0
        self._stopped = self._guided = False
        self._reading: JointReading | None = None
        self._reference_rad: Vector | None = None
        self._reference_pose: Pose | None = None
        self._turn_ns = 0
        self.unreachable = 0
        """Set points that the arm cannot reach; it then stays at the last one that it could."""

    @property
    def state(self) -> DriverState:
        return self._state

    @property
    def period_s(self) -> float:
        return 1.0 / self._settings.rate_hz

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._names

    @property
    def description(self) -> str:
        software = "not reached" if self._link is None else f"software {self._link.software}"
        return f"Sawyer at {self._settings.master_uri}, {software}"

    @property
    def link(self) -> RobotLink:
        """The robot itself, for calibration and tests. Raises DriverError before ``configure``."""
        if self._link is None:
            raise DriverError("the Sawyer is unconfigured: call configure() first")
        return self._link

    def configure(self) -> None:
        """Afterwards the driver is INACTIVE: it hears the robot; the arm has not moved and is deaf to ``write``.

        Raises ArmFaultError where the robot cannot be reached, DriverError for another robot or too slow a one.
        """
        expect("Sawyer", self._state, DriverState.UNCONFIGURED, "configure()")
        self._link = RobotLink(self._settings, self._names)
        try:
            self._link.check_rate()
        except DriverError:
            self.close()
            raise
        self._state = DriverState.INACTIVE

    def activate(self) -> None:
        """Afterwards the driver is ACTIVE: the arm holds where it is until the first ``write``, then it can move.

        Raises ArmFaultError while the robot is stopped, disabled or in collision, which is a person's word to end, and
        while a hand is at its cuff.
        """
        expect("Sawyer", self._state, DriverState.INACTIVE, "activate()")
        fault = self.link.fault() or self.link.hand_at_cuff()
        if fault is not None:
            raise fault
        self._begin()
        self._state = DriverState.ACTIVE

    def read(self) -> RobotState:
        """Waits for the robot's next reading. INACTIVE or ACTIVE; the arm does not move.

        Raises ArmFaultError, after which the robot holds by itself and ``write`` is refused until ``recover``.
        """
        link = self.link
        reading = link.readings.wait(self._settings.stale_s)
        fault = link.fault()
        if fault is None and reading is None:
            fault = link.describe_silence(self._settings.stale_s)
        if fault is None and self._state is DriverState.ACTIVE:
            fault = self._interruption(link)
        if fault is not None:
            raise self._stop(fault, discard=fault.kind in NETWORK_FAULTS)
        if self._state is DriverState.ACTIVE and (mixture := link.mixture()) is not None:
            raise self._stop(mixture, discard=False)  # the way to the robot is well: it gets the word to let go
        if self._state is DriverState.ACTIVE and not self._guided and (hand := link.hand_at_cuff()) is not None:
            raise self._stop(hand, discard=False)  # else the set point would pull the arm back once the hand lets go
        assert reading is not None  # else there were a fault
        self._reading = reading
        return self._robot_state(reading)

    def write(self, set_point: SetPoint) -> None:
        """Sends the set point of this turn. ACTIVE only, after a ``read`` that showed no fault. Raises DriverError."""
        expect("Sawyer", self._state, DriverState.ACTIVE, "write()")
        reading = self._reading
        if self._stopped or reading is None:
            raise DriverError("the arm was stopped by a fault: call recover() before write()")
        if self._guided:
            return
        before = self._reference_rad if self._reference_rad is not None else reading.position_rad
        reference = self._joints_of(set_point, before)
        period_s = self._period_of(reading)
        velocity = (reference - before) / period_s if self._reference_rad is not None else np.zeros(len(self._names))
        self._reference_rad, self._turn_ns = reference, reading.stamp_ns
        if self._settings.control == "position":
            self.link.limb.set_joint_positions(self._by_name(reference))
            return
        torque = self._impedance.torque(reading.position_rad, reading.velocity_rad_s, reference, period_s, velocity)
        self.link.limb.set_joint_torques(self._by_name(torque))

    def recover(self) -> None:
        """Takes the robot's commands up again where it is, once it is well. Moves nothing and enables nothing.

        Raises ArmFaultError with what a person has to do.
        """
        link, asked_s = self.link, time.monotonic()
        link.settle()
        reading = link.readings.wait(max(self._settings.stale_s, FIRST_READING_S))
        unheard = link.await_news(asked_s, NEWS_S) if reading is not None else None
        fault = link.fault() or unheard or link.hand_at_cuff()
        restarted = link.connects != self._connects
        if fault is not None and restarted and fault.kind is ArmFaultKind.NOT_READY:
            fault = ArmFaultError(ArmFaultKind.CONTROLLER_RESTARTED, f"the robot was restarted: {fault}")
        if fault is None and reading is None:
            fault = link.describe_silence(self._settings.stale_s)
        if fault is not None:
            raise fault
        self._begin()

    def guide(self, *, by_hand: bool) -> None:
        """By hand nothing is sent, so that the robot itself gives way while its cuff is squeezed. ACTIVE only.

        Afterwards the arm is held where it is. Raises DriverError for an arm that a fault has stopped.
        """
        expect("Sawyer", self._state, DriverState.ACTIVE, "guide()")
        if self._stopped:
            raise DriverError("the arm was stopped by a fault: call recover() before guide()")
        if by_hand and not self._guided:
            self.link.limb.exit_control_mode(self._settings.command_timeout_s)
        self._guided = by_hand
        self._forget_motion()

    def detector(self) -> bool | None:
        """The detector of the connection is not wired to a Sawyer."""
        return None

    def deactivate(self) -> None:
        """Afterwards the driver is INACTIVE: the robot holds its position by its own servos."""
        expect("Sawyer", self._state, DriverState.ACTIVE, "deactivate()")
        self.link.limb.exit_control_mode()
        self._state = DriverState.INACTIVE

    def close(self) -> None:
        """Lets the robot go, which holds. Afterwards the driver is UNCONFIGURED."""
        link, self._link = self._link, None
        if link is not None:
            if self._state is DriverState.ACTIVE and not self._stopped:
                link.limb.exit_control_mode()
            link.close()
        self._state = DriverState.UNCONFIGURED

    def _begin(self) -> None:
        """Nothing of the past counts: neither where the arm was to be, nor what the integral had gathered."""
        self._connects, self._garbage = self.link.connects, self.link.garbage
        self._stopped, self._reading, self._guided = False, None, False
        self._forget_motion()

    def _forget_motion(self) -> None:
        self._reference_rad = self._reference_pose = None
        self._impedance.reset()

    def _interruption(self, link: RobotLink) -> ArmFaultError | None:
        """States come, but not on the connection on which the arm was taken over."""
        if link.connects == self._connects:
            return None
        if link.garbage != self._garbage:
            return ArmFaultError(ArmFaultKind.BAD_DATA, "garbage came instead of a joint state: look at the network")
        return ArmFaultError(
            ArmFaultKind.CONTROLLER_RESTARTED,
            "the robot has begun to tell its state anew: it was restarted, or the network was out for a moment",
        )

    def _stop(self, fault: ArmFaultError, *, discard: bool) -> ArmFaultError:
        if self._state is DriverState.ACTIVE and not self._stopped:
            self._stopped = True
            if not self._guided:  # else it has no command to let go of
                self.link.let_go(discard=discard)
        return fault

    def _joints_of(self, set_point: SetPoint, before: Vector) -> Vector:
        """(n,) rad. A pose out of reach leaves the reference where it is: the supervisor sees the distance."""
        if set_point.joint_position_rad is not None:
            self._reference_pose = None
            return set_point.joint_position_rad
        target = set_point.tcp_in_base
        if self._reference_pose is not None and _is_same(target, self._reference_pose):
            return before
        solution = self._kinematics.inverse(target, before, TRACKING)
        if not solution.converged or np.abs(solution.joint_position_rad - before).max() > STEP_LIMIT_RAD:
            self.unreachable += 1
            if self.unreachable == 1:
                LOG.warning(
                    "the arm cannot reach %s m: %.1f mm remain (joints at their limits: %s)",
                    np.round(target.position_m, 4).tolist(),
                    1e3 * solution.position_error_m,
                    ", ".join(solution.at_limit) or "none",
                )
            return before
        self._reference_pose = target
        return solution.joint_position_rad

    def _period_of(self, reading: JointReading) -> float:
        if self._reference_rad is None:
            return self.period_s
        return min(max((reading.stamp_ns - self._turn_ns) / 1e9, 0.5 * self.period_s), LONG_PERIOD_S)

    def _robot_state(self, reading: JointReading) -> RobotState:
        tcp = self._kinematics.forward(reading.position_rad)
        jacobian = self._kinematics.jacobian(reading.position_rad)
        return RobotState(
            stamp_ns=reading.stamp_ns,
            joint_position_rad=reading.position_rad,
            joint_velocity_rad_s=reading.velocity_rad_s,
            joint_effort_nm=reading.effort_nm,
            tcp_in_base=tcp,
            tcp_velocity_in_base=jacobian @ reading.velocity_rad_s,
            wrench_in_base=self._wrench(reading, tcp),
        )

    def _wrench(self, reading: JointReading, tcp: Pose) -> Vector:
        """(6,) at the TCP in axes of the base, from the robot's estimate at its hand."""
        effort = self.link.limb.endpoint_effort()
        force = self._settings.wrench_sign * np.array(effort["force"])
        moment = self._settings.wrench_sign * np.array(effort["torque"])
        hand = self._hand.forward(reading.position_rad)
        if self._settings.wrench_frame == "hand":
            force, moment = rotate(hand.quaternion_xyzw, force), rotate(hand.quaternion_xyzw, moment)
        return np.concatenate((force, moment + np.cross(hand.position_m - tcp.position_m, force)))

    def _by_name(self, values: Vector) -> dict[str, float]:
        return dict(zip(self._names, values.tolist(), strict=True))


def _is_same(a: Pose, b: Pose) -> bool:
    return np.array_equal(a.position_m, b.position_m) and np.array_equal(a.quaternion_xyzw, b.quaternion_xyzw)
