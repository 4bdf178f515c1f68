"""The connection to a UR controller: ur-rtde's objects, one reading at a time, every failure under its name."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverError
from tenon.control.types import Vector
from tenon_ur5.config import DriverSettings
from tenon_ur5.probe import RTDE_PORT, sends_readings

DASHBOARD_PORT = 29999
VARIABLES = [
    "timestamp",
    "actual_q",
    "actual_qd",
    "target_moment",
    "actual_TCP_pose",
    "actual_TCP_force",
    "robot_mode",
    "safety_status_bits",
    "robot_status_bits",
    "actual_digital_input_bits",
]
POLL_S, MARGIN_PERIODS = 0.0003, 0.15
"""ur-rtde tells of a new packet only when asked: it is asked from shortly before the packet is due."""
RETRY_S = 0.25
REACH_TIMEOUT_S = 1.0
DASHBOARD_TIMEOUT_MS = 2000
STOP_TIMEOUT_S = 0.5
MESSAGE_SIZE = 1024
TELLS_REMOTE_CONTROL = (5, 6)
"""First software that does: a CB3 has no such switch, who holds the pendant sees a program start."""
NOT_UNDERSTOOD = "could not understand"
RUNNING_MODE = 7
PROGRAM_RUNNING_BIT = 1
IN_USE = "already in use"
"""What ur-rtde says of input registers that another client of the controller has."""
JOINT_BOUND_RAD, SPEED_BOUND_RAD_S = 6.6, 15.0
"""What no UR can report."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One packet. timestamp_s: of the controller's clock. Poses and wrench as the controller writes them."""

    timestamp_s: float
    position_rad: Vector
    velocity_rad_s: Vector
    moment_nm: Vector
    tcp_pose: tuple[float, ...]
    tcp_force: Vector
    robot_mode: int
    safety_bits: int
    status_bits: int
    inputs: int

    @property
    def program_runs(self) -> bool:
        return bool(self.status_bits >> PROGRAM_RUNNING_BIT & 1)


@dataclass(frozen=True, slots=True)
class Controller:
    """What the dashboard says of itself. model: empty, remote_control: None where the software does not tell."""

    model: str
    version: str
    robot_mode: str
    safety_mode: str
    remote_control: bool | None

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; zeros where it is not told."""
        return release_of(self.version)


class UrLink:
    """ur-rtde's receive and control interfaces.

    A link that fails is dropped whole: ur-rtde would connect anew by itself, and start its program again, unasked.
    """

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._receive: Any = None
        self._control: Any = None
        self._io: Any = None
        self._last_s = -1.0
        self._due_s = 0.0
        self.hangs = False
        """ur-rtde has a connection that is open and silent: it would wait in it without end if it were closed."""

    @property
    def control(self) -> Any:
        """ur-rtde's RTDEControlInterface. Raises ArmFaultError where there is none."""
        if self._control is None:
            raise self._lost("its control program is not connected")
        return self._control

    def wait_until_reachable(self, timeout_s: float) -> None:
        """Waits for a controller that is still coming up. Raises DriverError."""
        deadline_s = time.monotonic() + timeout_s
        while not sends_readings(self._settings.host, REACH_TIMEOUT_S):
            if time.monotonic() > deadline_s:
                raise DriverError(
                    f"no UR controller answers at {self._settings.host}:{RTDE_PORT}: see that it is switched on and "
                    f"that `ping {self._settings.host}` works; an emulated one needs emulator:=true"
                )
            time.sleep(RETRY_S)

    def ask(self) -> Controller:
        """Asks the dashboard. Raises ArmFaultError where nobody answers."""
        return ask_dashboard(self._settings.host)

    def open_receive(self) -> None:
        """Starts the stream of readings. Raises ArmFaultError."""
        from rtde_receive import RTDEReceiveInterface

        if not sends_readings(self._settings.host, REACH_TIMEOUT_S):
            raise self._lost(f"it sends no readings on port {RTDE_PORT}")
        self._last_s = -1.0
        self._receive = self._made(lambda: RTDEReceiveInterface(self._settings.host, -1.0, VARIABLES))

    def open_control(self) -> None:
        """Uploads and starts ur-rtde's program: it holds the arm and waits for commands. Raises ArmFaultError."""
        from rtde_control import RTDEControlInterface

        self._control = self._made(lambda: RTDEControlInterface(self._settings.host))
        if not self._control.isProgramRunning():
            raise ArmFaultError(
                ArmFaultKind.NOT_READY,
                f"the controller at {self._settings.host} did not start the control program: see its log, and that no "
                "popup waits on the pendant",
            )

    def drop(self) -> None:
        """Lets everything go, if it can.

        A stop of the controller's own only pauses the program, and where its reset is automatic the arm would go on
        with what it was last told: the program is stopped, or ends by its watchdog where the dashboard is out of reach.
        """
        if self._control is not None:
            stop_program(self._settings.host)
        if self.hangs:
            return
        for interface in (self._control, self._receive, self._io):
            if interface is not None:
                with contextlib.suppress(Exception):  # whatever a broken connection says when it is closed
                    interface.disconnect()
        self._control = self._receive = self._io = None

    def end_program(self) -> None:
        """Ends the control program in order; the arm stands, its brakes free, held by the controller."""
        if self._control is None or self.hangs:
            return
        with contextlib.suppress(Exception):
            self._control.stopScript()
        with contextlib.suppress(Exception):  # else its registers stay in use, and no other program can be started
            self._control.disconnect()
        self._control = None

    def next_reading(self) -> Reading:
        """Waits for a packet that was not read yet. Raises ArmFaultError after silence_timeout_s, and for bad data."""
        receive = self._receive
        if receive is None:
            raise self._lost("it is not connected")
        begun_s = time.monotonic()
        if begun_s < self._due_s:
            time.sleep(self._due_s - begun_s)
        while (timestamp_s := float(receive.getTimestamp())) == self._last_s:
            if not receive.isConnected():
                raise self._lost("it has closed the connection")
            if time.monotonic() - begun_s > self._settings.silence_timeout_s:
                self.hangs = True
                raise self._lost(f"it has sent nothing for {self._settings.silence_timeout_s * 1e3:.0f} ms")
            time.sleep(POLL_S)
        before_s, self._last_s = self._last_s, timestamp_s
        self._due_s = time.monotonic() + (1.0 - MARGIN_PERIODS) * self._settings.period_s
        if timestamp_s < before_s:
            raise ArmFaultError(
                ArmFaultKind.CONTROLLER_RESTARTED,
                f"the clock of the controller at {self._settings.host} went back from {before_s:.2f} s to "
                f"{timestamp_s:.2f} s: it was started anew; see that the arm is well, then clear the fault",
            )
        reading = self._reading(receive, timestamp_s)
        self._judge(reading)
        return reading

    def open_outputs(self) -> None:
        """Makes ready to switch outputs: that takes longer than a running program's watchdog waits.

        Raises ArmFaultError.
        """
        from rtde_io import RTDEIOInterface

        self._io = self._made(lambda: RTDEIOInterface(self._settings.host))

    def set_output(self, pin: int, *, on: bool) -> None:
        """Switches a standard digital output. Raises ArmFaultError."""
        if self._io is None:
            raise self._lost("its outputs are not connected")
        if not self._io.setStandardDigitalOut(pin, on):
            raise self._lost(f"it did not take digital output {pin}")

    def _reading(self, receive: Any, timestamp_s: float) -> Reading:
        # Each value is of the newest packet. A stop ends the program: read before, so that no stop is taken for an end.
        status_bits = int(receive.getRobotStatus())
        return Reading(
            timestamp_s=timestamp_s,
            position_rad=np.array(receive.getActualQ()),
            velocity_rad_s=np.array(receive.getActualQd()),
            moment_nm=np.array(receive.getTargetMoment()),
            tcp_pose=tuple(receive.getActualTCPPose()),
            tcp_force=np.array(receive.getActualTCPForce()),
            robot_mode=int(receive.getRobotMode()),
            safety_bits=int(receive.getSafetyStatusBits()),
            status_bits=status_bits,
            inputs=int(receive.getActualDigitalInputBits()),
        )

    def _judge(self, reading: Reading) -> None:
        numbers = np.concatenate((reading.position_rad, reading.velocity_rad_s, reading.tcp_force))
        possible = (
            np.isfinite(numbers).all()
            and np.abs(reading.position_rad).max() < JOINT_BOUND_RAD
            and np.abs(reading.velocity_rad_s).max() < SPEED_BOUND_RAD_S
        )
        if not possible:
            raise ArmFaultError(
                ArmFaultKind.BAD_DATA,
                f"the controller at {self._settings.host} reports joints at {np.round(reading.position_rad, 3)} rad, "
                f"{np.round(reading.velocity_rad_s, 3)} rad/s, which cannot be: look for another program that writes "
                "to this connection, and at the switch between",
            )

    def _made(self, make: Any) -> Any:
        try:
            return make()
        except Exception as error:  # ur-rtde raises RuntimeError and what Boost has, without a common base
            said = str(error).strip()
            if IN_USE not in said:
                raise self._lost(f"ur-rtde says: {said}") from error
            raise ArmFaultError(
                ArmFaultKind.NOT_READY,
                f"somebody else writes to the registers of the controller at {self._settings.host}: end other programs "
                "that drive this arm, and disable EtherNet/IP, PROFINET and MODBUS at the pendant",
            ) from error

    def _lost(self, what: str) -> ArmFaultError:
        return ArmFaultError(
            ArmFaultKind.CONNECTION_LOST,
            f"the controller at {self._settings.host} is out of reach, {what}: look at cable, switch and power",
        )


def ask_dashboard(host: str) -> Controller:
    """What a controller says of itself. Raises ArmFaultError where its dashboard does not answer."""
    from dashboard_client import DashboardClient

    client = DashboardClient(host)
    try:
        client.connect(DASHBOARD_TIMEOUT_MS)
        model, version = str(client.getRobotModel()).strip(), str(client.polyscopeVersion()).strip()
        tells = release_of(version) >= TELLS_REMOTE_CONTROL
        return Controller(
            model="" if model.startswith(NOT_UNDERSTOOD) else model,
            version=version,
            robot_mode=str(client.robotmode()).partition(":")[2].strip(),
            safety_mode=str(client.safetymode()).partition(":")[2].strip(),
            remote_control=bool(client.isInRemoteControl()) if tells else None,
        )
    except Exception as error:
        raise ArmFaultError(
            ArmFaultKind.CONNECTION_LOST,
            f"the dashboard of {host} (port {DASHBOARD_PORT}) does not answer: {str(error).strip()}",
        ) from error
    finally:
        with contextlib.suppress(Exception):
            client.disconnect()


def release_of(version: str) -> tuple[int, int]:
    """Major and minor number of what a controller calls its version; zeros where there are none."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def stop_program(host: str) -> bool:
    """Tells the dashboard to stop whatever runs or is paused. Returns whether the controller has answered.

    Not by ur-rtde's client: a fault is no time to wait for it.
    """
    try:
        with socket.create_connection((host, DASHBOARD_PORT), timeout=STOP_TIMEOUT_S) as dashboard:
            dashboard.settimeout(STOP_TIMEOUT_S)
            dashboard.recv(MESSAGE_SIZE)  # its greeting
            dashboard.sendall(b"stop\n")
            return bool(dashboard.recv(MESSAGE_SIZE))
    except OSError:
        return False
