"""A UR controller that is not there: RTDE, script upload, dashboard and gripper on a loopback address of its own.

The real ur-rtde talks to it. The arm that it moves is the one of the simulated stand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field, PositiveFloat

from tenon.configuration.base import Config
from tenon_mujoco.plant import Plant
from tenon_ur5.emulated.dashboard import DASHBOARD_PORT, DashboardSession
from tenon_ur5.emulated.motion import Joints
from tenon_ur5.emulated.ports import Connection, Ports
from tenon_ur5.emulated.program import MARK, ControlProgram, Robot
from tenon_ur5.emulated.registers import Registers
from tenon_ur5.emulated.robotiq import GRIPPER_PORT, GripperSession, RobotiqGripper
from tenon_ur5.emulated.rtde import RTDE_PORT, RtdeSession
from tenon_ur5.emulated.safety import SafetySystem
from tenon_ur5.frames import pose_to_controller, turned

SCRIPT_PORTS = (30002, 30003)
Disturbance = Literal["", "silence", "duplicates", "late", "garbage"]
LATE_PERIODS = 20
GARBAGE = bytes(range(255, 200, -1))
POWERED_BIT, RUNNING_BIT = 0, 1
STOPPED, PLAYING, PAUSED = 1, 2, 4
FREEDRIVE_DAMPING_NM_S = 4.0
UNZEROED = np.array((4.0, -3.0, 6.0, 0.2, 0.1, -0.1))
"""What an e-Series' sensor reads of nothing until it is zeroed, N and Nm. A CB3 has none, and nothing to zero."""


class EmulatorSettings(Config):
    """host: a loopback address that nothing else listens on. series: cb3 at 125 Hz or e-series at 500 Hz.

    detector_input: digital input that the detector of the connection is wired to. protective_force_n: the controller
    stops by itself when the tool feels more. remote_control: as the switch on an e-Series' pendant.
    software: PolyScope's version, as 5.9.4; empty: 3.15.8 or 5.12.6.
    """

    host: str = "127.0.0.10"
    series: Literal["cb3", "e-series"] = "cb3"
    detector_input: int = Field(default=0, ge=0, le=7)
    protective_force_n: PositiveFloat = 250.0
    remote_control: bool = True
    software: str = Field(default="", pattern=r"^(\d+\.\d+\.\d+)?$")

    @property
    def rate_hz(self) -> float:
        return 125.0 if self.series == "cb3" else 500.0

    @property
    def version(self) -> tuple[int, int, int, int]:
        """Of the software: major, minor, bug fix, build."""
        if self.software:
            major, minor, fix = map(int, self.software.split("."))
            return (major, minor, fix, 0)
        return (3, 15, 8, 106339) if self.series == "cb3" else (5, 12, 6, 1102099)


def create(settings: EmulatorSettings, plant: Plant) -> UrEmulator:
    return UrEmulator(settings, plant)


class UrEmulator:
    """The controller. ``turn`` is one period of it; everything happens there, on the thread that calls it."""

    def __init__(self, settings: EmulatorSettings, plant: Plant) -> None:
        self.settings, self.plant = settings, plant
        self.registers, self.safety, self.gripper = Registers(), SafetySystem(), RobotiqGripper()
        self.joints = Joints(plant.arm, plant.reading().joint_position_rad)
        self.robot = Robot(self.period_s, self._zero_force, self.safety.protective_stop)
        self.disturbance: Disturbance = ""
        self.remote_control = settings.remote_control
        self.program: ControlProgram | None = None
        self.why_stopped = ""
        """Why the last program ended."""
        self._bias = self._unzeroed()
        self._boot_s = time.monotonic()
        self._braked = False
        self._clients: list[RtdeSession] = []
        self._late: list[tuple[RtdeSession, bytes]] = []
        self._ports = self._make_ports()

    @property
    def period_s(self) -> float:
        return 1.0 / self.settings.rate_hz

    @property
    def plays(self) -> bool:
        """Whether the control program runs."""
        return self.program is not None and not self.pauses

    @property
    def pauses(self) -> bool:
        """Whether the control program waits for the end of a stop, to go on where it was."""
        return self.program is not None and self.safety.pauses

    def start(self) -> None:
        """Opens its ports. Raises EmulatorError."""
        self._ports.open()

    def close(self) -> None:
        self._ports.close()

    def turn(self) -> None:
        """Clients' words, the program's command, set points to the joints, the state to whoever listens."""
        reading = self.plant.reading()
        felt = reading.wrench_in_base - self._bias
        if np.linalg.norm(felt[:3]) > self.settings.protective_force_n:
            self.safety.protective_stop()
        self._ports.serve()
        self._run_program(felt)
        self._move(reading.joint_position_rad, reading.joint_velocity_rad_s)
        self.gripper.advance(self.period_s)
        self._write_state(reading.joint_position_rad, reading.joint_velocity_rad_s, reading.joint_effort_nm, felt)
        self._tell()

    # --- accidents, for tests -----------------------------------------------------------------------------------------

    def pull_cable(self) -> None:
        """Every connection ends and nobody answers; the controller goes on, and its program's watchdog with it."""
        self._ports.close()

    def plug_cable(self) -> None:
        self._ports.open()

    def reboot(self) -> None:
        """The controller comes up again, without a program, its clock at 0, its sensor not zeroed.

        Power and brakes are as before.
        """
        self._ports.close_connections()
        self._end_program("the controller was started anew")
        self._boot_s, self._bias = time.monotonic(), self._unzeroed()
        self.registers = Registers()
        self.robot.tool = [0.0] * 6
        self.joints.set_tool(None)

    # --- the program --------------------------------------------------------------------------------------------------

    def _run_program(self, felt: np.ndarray) -> None:
        program = self.program
        if program is None or self.pauses:
            return
        if not self.safety.may_move:
            program.end(f"the arm was stopped: {self.safety.safety_mode.name.lower().replace('_', ' ')}")
        if program.is_running:
            program.step(felt, self.period_s)
        if not program.is_running:
            self._end_program(program.why_ended)

    def _move(self, measured_rad: np.ndarray, measured_rad_s: np.ndarray) -> None:
        if self.robot.freedrive and self.safety.may_move:
            self.plant.follow_torque(-FREEDRIVE_DAMPING_NM_S * measured_rad_s)
            self.joints.rest_at(measured_rad)
            self._braked = False
        elif self.safety.may_move:
            if self._braked:
                self.joints.rest_at(measured_rad)
            self._braked = False
            velocity_rad_s = self.joints.velocity_rad_s
            begins_rad = self.joints.position_rad - self.period_s * velocity_rad_s
            self.plant.follow_position(begins_rad, velocity_rad_s)
        elif not self._braked:
            self.plant.hold()
            self._braked = True

    def _on_script(self, text: str) -> None:
        if MARK in text and self.safety.may_move and (self.remote_control or self.settings.series == "cb3"):
            self._end_program("another program was started")
            self.joints.velocity_rad_s = np.zeros_like(self.joints.velocity_rad_s)
            self.program = ControlProgram(text, self.registers, self.joints, self.robot)

    def _end_program(self, why: str) -> None:
        if self.program is not None:
            self.program.end(why)
            self.why_stopped = why
        self.program = None
        self.joints.velocity_rad_s = np.zeros_like(self.joints.velocity_rad_s)

    def _on_input(self) -> None:
        if self.program is not None:
            self.program.on_input()

    def _zero_force(self) -> None:
        self._bias = self.plant.reading().wrench_in_base

    def _unzeroed(self) -> np.ndarray:
        return -UNZEROED if self.settings.series == "e-series" else np.zeros(6)

    # --- what is told -------------------------------------------------------------------------------------------------

    def _write_state(self, q: np.ndarray, qd: np.ndarray, effort: np.ndarray, felt: np.ndarray) -> None:
        values, joints, safety = self.registers.values, self.joints, self.safety
        playing = self.plays
        runtime = PLAYING if playing else PAUSED if self.pauses else STOPPED
        pose, target = joints.kinematics.forward(q), joints.tcp_in_base()
        speed = turned(joints.kinematics.jacobian(q) @ qd).tolist()
        values.update(
            timestamp=time.monotonic() - self._boot_s,
            actual_q=q.tolist(),
            actual_qd=qd.tolist(),
            target_q=joints.position_rad.tolist(),
            target_qd=joints.velocity_rad_s.tolist(),
            target_moment=effort.tolist(),
            actual_TCP_pose=pose_to_controller(pose),
            target_TCP_pose=pose_to_controller(target),
            actual_TCP_speed=speed,
            target_TCP_speed=speed,
            actual_TCP_force=turned(felt).tolist(),
            robot_mode=int(safety.robot_mode),
            safety_mode=int(safety.safety_mode),
            safety_status_bits=safety.status_bits,
            robot_status_bits=1 << POWERED_BIT | playing << RUNNING_BIT,
            runtime_state=runtime,
            speed_scaling=1.0,
            target_speed_fraction=1.0,
            actual_digital_input_bits=int(self.plant.electrical()) << self.settings.detector_input,
            actual_digital_output_bits=self._outputs(),
            joint_temperatures=[30.0] * len(q),
        )

    def _outputs(self) -> int:
        """Digital outputs as clients have set them: standard ones in bits 0 to 7, the tool's in 16 and 17."""
        values = self.registers.values
        bits = int(values["actual_digital_output_bits"])
        for name, shift in (("standard", 0), ("tool", 16)):
            mask, wanted = int(values[f"{name}_digital_output_mask"]), int(values[f"{name}_digital_output"])
            bits = bits & ~(mask << shift) | (mask & wanted) << shift
        return bits

    def _tell(self) -> None:
        self._clients = [client for client in self._clients if client.is_open]
        for client in self._clients:
            packet = client.tick()
            if packet is not None:
                self._send(client, packet)
        while len(self._late) > LATE_PERIODS * max(1, len(self._clients)) or (
            self._late and self.disturbance != "late"
        ):
            late, packet = self._late.pop(0)
            late.send(packet)

    def _send(self, client: RtdeSession, packet: bytes) -> None:
        if self.disturbance == "silence":
            return
        if self.disturbance == "late":
            self._late.append((client, packet))
            return
        if self.disturbance == "garbage":
            packet = GARBAGE
        client.send(packet)
        if self.disturbance == "duplicates":
            client.send(packet)

    # --- its ports ----------------------------------------------------------------------------------------------------

    def _make_ports(self) -> Ports:
        settings = self.settings

        def rtde(connection: Connection) -> RtdeSession:
            client = RtdeSession(connection, self.registers, settings.version, settings.rate_hz, self._on_input)
            self._clients.append(client)
            return client

        protocols: dict[int, Callable[[Connection], object]] = {
            RTDE_PORT: rtde,
            DASHBOARD_PORT: lambda connection: DashboardSession(connection, self._answers()),
            GRIPPER_PORT: lambda connection: GripperSession(connection, self.gripper),
            **{port: lambda _: ScriptSession(self._on_script) for port in SCRIPT_PORTS},
        }
        return Ports(settings.host, protocols)  # type: ignore[arg-type]

    def _answers(self) -> dict[str, Callable[[], str]]:
        safety = self.safety
        major, minor, fix, build = self.settings.version
        return {
            "polyscopeversion": lambda: f"URSoftware {major}.{minor}.{fix}.{build} (Nov 01 2022)",
            "get serial number": lambda: "20195500001",
            "get robot model": lambda: "UR5",
            "is in remote control": lambda: str(self.remote_control).lower(),
            "robotmode": lambda: f"Robotmode: {safety.robot_mode.name}",
            "safetystatus": lambda: f"Safetystatus: {safety.safety_mode.name}",
            "safetymode": lambda: f"Safetymode: {safety.safety_mode.name}",
            "programstate": lambda: f"{'PLAYING' if self.plays else 'PAUSED' if self.pauses else 'STOPPED'} {MARK}",
            "running": lambda: f"Program running: {str(self.plays).lower()}",
            "stop": self._stop_program,
            "unlock protective stop": safety.unlock_protective_stop,
            "close safety popup": lambda: "closing safety popup",
            "power on": safety.power_on,
            "power off": safety.power_off,
            "brake release": safety.release_brakes,
        }

    def _stop_program(self) -> str:
        self._end_program("somebody pressed stop")
        return "Stopped"


class ScriptSession:
    """A client of the script ports: what it sends is a program once its last ``end`` has come."""

    def __init__(self, on_script: Callable[[str], None]) -> None:
        self._on_script = on_script
        self._text = ""

    def on_bytes(self, data: bytes) -> None:
        self._text += data.decode(errors="replace")
        if self._text.rstrip().endswith("\nend"):
            text, self._text = self._text, ""
            self._on_script(text)
