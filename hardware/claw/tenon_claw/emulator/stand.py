"""Claw and valve in MuJoCo behind the servos' registers: goals become motion, encoders tell of it, in real time."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from tenon.configuration.hand import HandConfig
from tenon.control.types import Vector
from tenon.simulation.claw import Claw
from tenon.simulation.valve_task import ValveTask, ValveTaskConfig
from tenon_claw import control_table as table
from tenon_claw.commissioning import wanted
from tenon_claw.config import DriverSettings
from tenon_claw.emulator.bus import EmulatedBus
from tenon_claw.emulator.servo import EmulatedServo
from tenon_claw.units import to_rad, to_tick

TURN_S = 0.005
"""From one look at the servos' registers to the next."""
BEHIND_MAX_S = 0.05
"""Time that a stall took is not made up for beyond this."""


class EmulatedClaw:
    """The claw on its bus, at ``settings.port``. Use it as a context: time passes, and the cable is in, within.

    commissioned: the servos have been set up as ``tenon claw setup`` does; else they are as they left the factory,
    apart from their IDs.
    """

    def __init__(
        self,
        settings: DriverSettings,
        hand: HandConfig,
        task: ValveTaskConfig,
        *,
        seed: int = 0,
        commissioned: bool = True,
        wire_time: bool = True,
    ) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._claw = Claw(hand, task.valve)
        self._servos = [EmulatedServo(servo.servo_id) for servo in settings.servos]
        self._valve_servo = EmulatedServo(settings.valve.servo_id)
        self.bus = EmulatedBus([*self._servos, self._valve_servo], settings.port, self._lock, wire_time=wire_time)
        if commissioned:
            for servo in self.bus.servos:
                _commission(servo, settings)
        draw = ValveTask(task, hand).draw(seed)
        self._claw.place(draw.joint_position_rad, draw.valve_rad)
        self._valve_goal_rad = draw.valve_rad
        self._report()
        for servo in self.bus.servos:
            servo.reboot()  # they have just been switched on
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulated_claw", daemon=True)

    def __enter__(self) -> EmulatedClaw:
        self.bus.plug_in()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()
        self.bus.unplug()

    @property
    def joint_position_rad(self) -> Vector:
        """(9,): the fingers' true angles, for tests."""
        with self._lock:
            return self._claw.joint_position_rad

    @property
    def joint_effort_nm(self) -> Vector:
        with self._lock:
            return self._claw.joint_effort_nm

    @property
    def valve_rad(self) -> float:
        with self._lock:
            return self._claw.valve_rad

    def push(self, joint_torque_nm: Vector) -> None:
        """A person's hand on the fingers: torques (9,), until the next call."""
        with self._lock:
            self._claw.push(joint_torque_nm)

    def servo(self, servo_id: int) -> EmulatedServo:
        return next(servo for servo in self.bus.servos if servo.servo_id == servo_id)

    def heat(self, servo_id: int, temperature_c: int) -> None:
        """The servo's sensor reads so much from now on."""
        with self._lock:
            self.servo(servo_id).put(table.PRESENT_TEMPERATURE, temperature_c)

    def fail(self, servo_id: int, error: table.HardwareError) -> None:
        """The servo's firmware finds this hardware error."""
        with self._lock:
            self.servo(servo_id).raise_error(error)

    def restart_servos(self) -> None:
        """Their supply was off and on."""
        with self._lock:
            for servo in self.bus.servos:
                servo.reboot()

    def _run(self) -> None:
        substeps = round(TURN_S / self._claw.valve.timestep_s)
        next_s = time.monotonic()
        while not self._stopped.is_set():
            with self._lock:
                self._drive()
                self._claw.step(substeps)
                self._report()
            next_s = max(next_s + TURN_S, time.monotonic() - BEHIND_MAX_S)
            self._stopped.wait(max(0.0, next_s - time.monotonic()))

    def _drive(self) -> None:
        """From the registers to the motors."""
        settings = self.settings
        for servo in self.bus.servos:
            servo.watch(TURN_S)
        limits_nm = [
            servo.torque_current_a * settings.torque_constant_nm_a if servo.has_torque else 0.0
            for servo in self._servos
        ]
        goals_rad = [
            to_rad(config, servo.shaft(table.GOAL_POSITION))
            for config, servo in zip(settings.servos, self._servos, strict=True)
        ]
        self._claw.set_torque_limits(np.array(limits_nm))
        self._claw.set_targets(np.array(goals_rad))
        self._drive_valve()

    def _drive_valve(self) -> None:
        """Its goal moves with the profile's speed, which a claw's driver always sets."""
        servo = self._valve_servo
        if not servo.has_torque:
            self._valve_goal_rad = self._claw.valve_rad
            self._claw.drive_valve(None)
            return
        step_rad = TURN_S * servo.value(table.PROFILE_VELOCITY) * table.RAD_S_PER_UNIT
        to_go_rad = to_rad(self.settings.valve, servo.shaft(table.GOAL_POSITION)) - self._valve_goal_rad
        self._valve_goal_rad += float(np.clip(to_go_rad, -step_rad, step_rad))
        self._claw.drive_valve(self._valve_goal_rad)

    def _report(self) -> None:
        """From the encoders to the registers."""
        claw, constant = self._claw, self.settings.torque_constant_nm_a
        values = zip(
            (*self.settings.servos, self.settings.valve),
            self.bus.servos,
            (*claw.joint_position_rad, claw.valve_rad),
            (*claw.joint_velocity_rad_s, claw.valve_velocity_rad_s),
            (*claw.joint_effort_nm, 0.0),
            strict=True,
        )
        for config, servo, position_rad, velocity_rad_s, effort_nm in values:
            sign = config.direction
            servo.report_shaft(to_tick(config, position_rad))
            servo.put(table.PRESENT_VELOCITY, round(sign * velocity_rad_s / table.RAD_S_PER_UNIT))
            servo.put(table.PRESENT_CURRENT, round(sign * effort_nm / constant / table.A_PER_UNIT))


@contextmanager
def scratch_port() -> Iterator[Path]:
    """A path for a port in a folder that is there for as long."""
    with tempfile.TemporaryDirectory(prefix="tenon-claw-") as folder:
        yield Path(folder) / "bus"


def _commission(servo: EmulatedServo, settings: DriverSettings) -> None:
    for item, value in wanted(settings):
        servo.put(item, value)
