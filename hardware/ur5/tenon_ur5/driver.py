"""A UR5 by ur-rtde: set points in, readings out, at the controller's rate; it gives way to forces by admittance."""

from __future__ import annotations

import time

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.drivers import ArmFaultError, ArmFaultKind, ArmProcessError, DriverError, DriverState, expect
from tenon.control.geometry import distance
from tenon.control.kinematics import Kinematics
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState, Vector
from tenon_ur5.ages import Ages
from tenon_ur5.config import DriverSettings
from tenon_ur5.frames import pose_from_controller, turned, values_of
from tenon_ur5.gripper import CLOSED, OPEN, RobotiqClient
from tenon_ur5.link import Reading, UrLink
from tenon_ur5.steering import Steering, create_steering
from tenon_ur5.stops import program_stop, refusal_of, stop_of

NS_PER_S = 1_000_000_000
BIAS_READINGS = 25
LATE_READINGS = 5
"""So many readings in a row must be too old: one may be, where this machine was busy."""
TCP_TOLERANCE_M, TCP_TOLERANCE_RAD = 0.002, 0.01
START_TIMEOUT_S = 3.0
FREEDRIVE_SINCE = (5, 10)
"""Below that ur-rtde's script does nothing for it, and says that it was done."""
LONG_PERIOD_S = 0.05
"""As much as a set point may go on at once, however long this machine was busy."""
RESTART_S = 1.0
"""A clock that has lost so much has begun anew; by drift alone it does not within an hour."""
ZERO_TOLERANCE_N, ZERO_TOLERANCE_NM = 3.0, 0.5


class Ur5Driver:
    """One UR5, CB3 or e-Series. Not thread-safe.

    The device's own watchdog stops the arm when this process dies or falls behind.
    """

    def __init__(self, settings: DriverSettings, arm: ArmConfig, tool_in_flange: Pose) -> None:
        """tool_in_flange: the TCP. Nothing is connected yet."""
        self.settings, self._arm, self._tool = settings, arm, tool_in_flange
        self._kinematics = Kinematics(arm, tool_in_flange)
        self._link = UrLink(settings)
        self._steering: Steering = create_steering(settings, self._kinematics, arm)
        self._gripper = RobotiqClient(settings.host) if settings.robotiq else None
        self._state = DriverState.UNCONFIGURED
        self._description = f"UR5 at {settings.host}"
        self._bias: Vector | None = None
        self._felt = np.zeros(6)
        self._booted_s: float | None = None
        self._zero_in_doubt = False
        self._newest: RobotState | None = None
        self._inputs = 0
        self._ages, self._late = Ages(), 0
        self._guided = False
        self._release = (0, 0)
        self._read_s = 0.0
        self._written_s: float | None = None

    @property
    def state(self) -> DriverState:
        return self._state

    @property
    def period_s(self) -> float:
        return self.settings.period_s

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._arm.joint_names

    @property
    def description(self) -> str:
        return self._description

    def configure(self) -> None:
        """Reaches the controller and checks that it is the right one, in remote control, powered and free of stops.

        Afterwards the arm is INACTIVE: it stands, and cannot be moved from here. Raises DriverError or ArmFaultError.
        """
        expect("UR5", self._state, DriverState.UNCONFIGURED, "configure()")
        self._link.wait_until_reachable(self.settings.connect_timeout_s)
        self._open()
        if self._gripper is not None:
            self._gripper.connect()
        self._state = DriverState.INACTIVE

    def activate(self) -> None:
        """Starts the control program with payload, tool, watchdog and a zeroed force, and checks the tool's place.

        Afterwards the arm is ACTIVE: it holds where it is until the first ``write``. Nothing may touch the tool
        meanwhile. Raises DriverError or ArmFaultError.
        """
        expect("UR5", self._state, DriverState.INACTIVE, "activate()")
        self._start_program()
        if self.settings.zero_force and self.settings.software >= 5:
            self._expect_taken(self._link.control.zeroFtSensor(), "the zeroing of its force")
        self._check_tool()
        self._bias = self._force_at_rest()
        self._zero_in_doubt = False
        self._state = DriverState.ACTIVE

    def deactivate(self) -> None:
        """Ends the control program. Afterwards the arm is INACTIVE: its controller holds it."""
        expect("UR5", self._state, DriverState.ACTIVE, "deactivate()")
        self._link.end_program()
        self._state = DriverState.INACTIVE

    def close(self) -> None:
        """Ends the program and lets the controller go. Afterwards the driver is UNCONFIGURED; the arm stands."""
        self._link.end_program()
        self._link.drop()
        if self._gripper is not None:
            self._gripper.close()
        self._state = DriverState.UNCONFIGURED

    def read(self) -> RobotState:
        """The next reading. INACTIVE or ACTIVE. Raises ArmFaultError: ``let_go`` then, at once, and ``recover``."""
        try:
            reading = self._link.next_reading()
            self._judge(reading)
            return self._take(reading)
        except ArmFaultError:
            self._forget()
            raise

    def write(self, set_point: SetPoint) -> None:
        """Sends the arm towards a set point, giving way to what it touches. ACTIVE only. Raises ArmFaultError."""
        if self._state is not DriverState.ACTIVE or self._newest is None:
            raise DriverError(f"the UR5 is {self._state.value}: activate() and read() before write()")
        if self._guided:
            self._link.control.kickWatchdog()
            return
        self._steering.steer(self._link.control, set_point, self._newest, self._since_last_s())

    def recover(self) -> None:
        """Connects anew and starts the control program, once the controller says that the arm may move.

        The arm does not move by it. Raises ArmFaultError while something is in the way, and where the force is another
        one since the controller was started anew: its zero is lost then, and the arm would give way to nothing.
        """
        if self._link.hangs:
            raise ArmProcessError(
                ArmFaultKind.CONNECTION_LOST,
                f"the connection to {self.settings.host} is silent and ur-rtde does not let it go: the driver's "
                "process is started anew",
            )
        self.let_go()
        self._open()
        self._start_program()
        if self._zero_in_doubt:
            self._check_zero()
        self._state = DriverState.ACTIVE

    def let_go(self) -> None:
        """Drops the link, which takes ur-rtde 2 s. The arm is INACTIVE then; it stands once the watchdog has ended."""
        self._link.drop()
        self._forget()

    def detector(self) -> bool | None:
        pin = self.settings.detector_input
        return None if pin is None else bool(self._inputs >> pin & 1)

    def guide(self, *, by_hand: bool) -> None:
        """Lets a person move the arm by hand, or ends it: the arm then holds where it was left. ACTIVE only."""
        expect("UR5", self._state, DriverState.ACTIVE, "guide()")
        control, newer = self._link.control, self._release >= FREEDRIVE_SINCE
        if by_hand == self._guided:
            return
        if by_hand:
            self._steering.stop(control)
            done = control.freedriveMode() if newer else control.teachMode()
        else:
            done = control.endFreedriveMode() if newer else control.endTeachMode()
        self._begin_anew()
        if not done:
            raise DriverError("the controller refused freedrive: see the message on its pendant")
        self._guided = by_hand

    def grasp(self, *, closed: bool) -> bool:
        """Closes the hand (suction on, fingers together) or opens it; returns whether it holds something, as far as it
        can tell. Fingers take a second or two, in which the arm stands. Raises DriverError for an arm without one."""
        if self._gripper is not None:
            return self._move_fingers(self._gripper, CLOSED if closed else OPEN)
        if self.settings.suction_output is None:
            raise DriverError("this UR5 has no hand: set suction_output or robotiq in the robot's file")
        self._link.set_output(self.settings.suction_output, on=closed)
        return closed

    def _move_fingers(self, gripper: RobotiqClient, position: int) -> bool:
        if self._state is not DriverState.ACTIVE:
            return gripper.move(position)
        control = self._link.control
        if not self._guided:
            self._steering.stop(control)  # what streams would go on for as long as the watchdog is fed
            self._begin_anew()
        return gripper.move(position, meanwhile=control.kickWatchdog)

    # --- the connection -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        controller = self._link.ask()
        self._release = controller.release
        self._description = f"{controller.model or 'UR'} at {self.settings.host}, software {controller.version}"
        refusal = refusal_of(controller, self.settings.software)
        if refusal:
            raise ArmFaultError(ArmFaultKind.NOT_READY, f"the controller at {self.settings.host}: {refusal}")
        self._link.open_receive()
        if self.settings.suction_output is not None:
            self._link.open_outputs()
        self._ages, self._late = Ages(), 0
        first = self._link.next_reading()
        self._judge_clock(first)
        stop = stop_of(first)
        if stop is not None:
            raise stop

    def _start_program(self) -> None:
        settings = self.settings
        self._link.open_control()
        control = self._link.control
        self._expect_taken(control.setPayload(settings.payload_kg, list(settings.payload_centre_m)), "the payload")
        self._expect_taken(control.setTcp(values_of(self._tool)), "the tool")
        self._expect_taken(control.setWatchdog(settings.watchdog_hz), "the watchdog")
        if settings.compliance == "force_mode":
            damping = control.forceModeSetDamping(settings.force_mode_damping)
            self._expect_taken(damping, "the damping of its force mode")
        self._begin_anew()
        self._guided = False
        self._newest = None

    def _expect_taken(self, taken: bool, what: str) -> None:
        """The arm must not move without what a step of the start asks for. Raises ArmFaultError."""
        if not taken:
            raise ArmFaultError(
                ArmFaultKind.NOT_READY,
                f"the controller at {self.settings.host} did not take {what}: see what its pendant says and its log",
            )

    def _begin_anew(self) -> None:
        self._steering.reset()
        self._written_s = None

    def _forget(self) -> None:
        self._newest = None
        if self._state is DriverState.ACTIVE:
            self._state = DriverState.INACTIVE

    def _check_tool(self) -> None:
        """The controller must mean the same point by the TCP, else its forces would be about another one."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            reading = self._kept_alive()
            told, own = pose_from_controller(reading.tcp_pose), self._kinematics.forward(reading.position_rad)
            off_m, off_rad = distance(told, own)
            if off_m < TCP_TOLERANCE_M and off_rad < TCP_TOLERANCE_RAD:
                return
            if time.monotonic() > deadline_s:
                raise DriverError(
                    f"the controller has the TCP {off_m * 1e3:.1f} mm and {off_rad:.3f} rad from where arm "
                    f"{self._arm.name!r} has it, allowed are {TCP_TOLERANCE_M * 1e3:g} mm and {TCP_TOLERANCE_RAD:g} "
                    "rad: in the robot's file a CB3 is `arm: ur5`, an e-Series `arm: ur5e`; where it is so already, "
                    "this arm's calibration differs: see hardware/ur5/manual.md"
                )

    def _force_at_rest(self) -> Vector:
        return turned(np.mean([self._kept_alive().tcp_force for _ in range(BIAS_READINGS)], axis=0))

    def _judge_clock(self, reading: Reading) -> None:
        """Notes whether the controller was started anew since the last reading: its sensor's zero may be lost then."""
        booted_s = time.monotonic() - reading.timestamp_s
        if self._booted_s is not None and booted_s - self._booted_s > RESTART_S:
            self._zero_in_doubt = True
        self._booted_s = booted_s

    def _check_zero(self) -> None:
        """Raises ArmFaultError where the force is not what it was before the controller was started anew."""
        bias = np.zeros(6) if self._bias is None else self._bias
        now, before, deadband = self._force_at_rest() - bias, self._felt, self.settings.admittance
        off_n, off_nm = np.linalg.norm(now[:3] - before[:3]), np.linalg.norm(now[3:] - before[3:])
        allowed_n = ZERO_TOLERANCE_N + deadband.force_deadband_n
        allowed_nm = ZERO_TOLERANCE_NM + deadband.torque_deadband_nm
        if off_n > allowed_n or off_nm > allowed_nm:
            raise ArmFaultError(
                ArmFaultKind.CONTROLLER_RESTARTED,
                f"the controller at {self.settings.host} was started anew and feels {off_n:.1f} N and {off_nm:.2f} Nm "
                f"more or less than before, allowed are {allowed_n:g} N and {allowed_nm:g} Nm: its zero may be lost. "
                "See that nothing touches the tool, then start the session anew with --resume, which zeroes the force",
            )
        self._zero_in_doubt = False

    def _kept_alive(self) -> Reading:
        """A reading, while the program's watchdog is fed."""
        reading = self._link.next_reading()
        self._link.control.kickWatchdog()
        return reading

    # --- readings -----------------------------------------------------------------------------------------------------

    def _judge(self, reading: Reading) -> None:
        stop = stop_of(reading)
        if stop is None and self._state is DriverState.ACTIVE and not reading.program_runs:
            stop = program_stop(self.settings.watchdog_hz)
        if stop is not None:
            raise stop

    def _take(self, reading: Reading) -> RobotState:
        age_s = self._age_s(reading.timestamp_s)
        wrench = turned(reading.tcp_force)
        self._felt = wrench if self._bias is None else wrench - self._bias
        self._booted_s = time.monotonic() - reading.timestamp_s
        self._read_s = reading.timestamp_s
        self._inputs = reading.inputs
        jacobian = self._kinematics.jacobian(reading.position_rad)
        self._newest = RobotState(
            stamp_ns=time.time_ns() - round(age_s * NS_PER_S),
            joint_position_rad=reading.position_rad,
            joint_velocity_rad_s=reading.velocity_rad_s,
            joint_effort_nm=reading.moment_nm,
            tcp_in_base=self._kinematics.forward(reading.position_rad),
            tcp_velocity_in_base=jacobian @ reading.velocity_rad_s,
            wrench_in_base=self._felt,
        )
        return self._newest

    def _since_last_s(self) -> float:
        """Since the reading that was last answered: readings are left out where this machine is busy."""
        before_s, self._written_s = self._written_s, self._read_s
        if before_s is None:
            return self.period_s
        return min(max(self._read_s - before_s, 0.5 * self.period_s), LONG_PERIOD_S)

    def _age_s(self, timestamp_s: float) -> float:
        """How much longer than the quickest one this reading was under way. Raises ArmFaultError for old ones."""
        age_s = self._ages.age_s(timestamp_s, time.monotonic())
        self._late = self._late + 1 if age_s > self.settings.late_max_s else 0
        if self._late >= LATE_READINGS:
            raise ArmFaultError(
                ArmFaultKind.BAD_DATA,
                f"readings of the controller come {age_s * 1e3:.0f} ms late, allowed are "
                f"{self.settings.late_max_s * 1e3:.0f} ms: look at the network and at this machine's load",
            )
        return age_s
