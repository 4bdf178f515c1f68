"""The claw behind the words of every arm: configure, activate, read, write, recover, deactivate, close.

The servos run in current-based position mode: they go where they are told, and never push harder than the current that
they are given. Beside the fingers there is the valve's own servo, which tells the valve's angle and turns it back.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import numpy as np

from tenon.configuration.hand import HandConfig
from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverError, DriverState, expect
from tenon.control.geometry import pose
from tenon.control.loop import SetPoint
from tenon.control.types import RobotState, Vector
from tenon_claw import control_table as table
from tenon_claw.bus import BusError, BusLostError, NoAnswerError, Present, ServoBus, indirect_addresses
from tenon_claw.commissioning import wanted
from tenon_claw.config import DriverSettings
from tenon_claw.guard import Guard
from tenon_claw.units import check_turns, to_rad, to_tick

VALVE_THERE_RAD = 0.04
VALVE_TIMEOUT_S = 6.0
CONNECT_RETRY_S = 0.2
PALM_IN_BASE = pose((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
"""The palm does not move: it is the base of all that a claw says."""


class ClawDriver:
    """Fingers and valve on one bus. Not thread-safe."""

    def __init__(self, settings: DriverSettings, hand: HandConfig) -> None:
        """Raises DriverError where the settings are not of this hand. Nothing is opened yet."""
        joints = tuple(servo.joint for servo in settings.servos)
        if joints != hand.joint_names:
            raise DriverError(
                f"the settings name servos for {', '.join(joints)}, but hand {settings.hand!r} has "
                f"{', '.join(hand.joint_names)}: bring driver.settings.servos into that order"
            )
        check_turns(settings, hand)
        self.settings = settings
        self._hand = hand
        self._ids = [servo.servo_id for servo in settings.servos]
        self._names = {servo.servo_id: servo.joint for servo in (*settings.servos, settings.valve)}
        self._bus = ServoBus(
            settings.port, settings.baud_rate, tuple(self._names), answer_margin_s=settings.answer_margin_s
        )
        self._guard = Guard(settings)
        self._state = DriverState.UNCONFIGURED
        self._position_rad = self._goal_rad = np.zeros(len(joints))
        self._holds = True
        self._valve_rad = self._valve_speed_rad_s = 0.0
        self._valve_goal: tuple[float, float] | None = None
        self._guided = False
        self._next_s = 0.0
        self.misses = 0
        """Answers that were missing or damaged, and asked for again."""
        self.late = 0
        """Turns that began later than half a period after they should have."""

    @property
    def state(self) -> DriverState:
        return self._state

    @property
    def period_s(self) -> float:
        return self.settings.period_s

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._hand.joint_names

    @property
    def description(self) -> str:
        return f"claw {self._hand.name} on {self.settings.port}, {len(self._ids)} servos and the valve's"

    @property
    def valve_rad(self) -> float:
        """Counter-clockwise seen from the palm, as the newest ``read`` found it; turns are not told apart for ever."""
        return self._valve_rad

    @property
    def valve_turns_back(self) -> bool:
        """Whether the valve's motor is still on its way."""
        return self._valve_goal is not None

    def configure(self) -> None:
        """Afterwards the claw is INACTIVE: the servos are there and set up, have no torque, and can be moved by hand.

        Raises DriverError where an EEPROM is not as it must be, ArmFaultError for a servo that is silent or failed.
        """
        expect("claw", self._state, DriverState.UNCONFIGURED, "configure()")
        try:
            self._await_servos()
            self._check_eeprom()
            self._check_servos()
        except ArmFaultError:
            self._bus.close()
            raise
        self._state = DriverState.INACTIVE

    def activate(self) -> None:
        """Afterwards the claw is ACTIVE: the fingers hold where they are, and move with the first ``write``."""
        expect("claw", self._state, DriverState.INACTIVE, "activate()")
        self._take_hold()
        self._state = DriverState.ACTIVE

    def read(self) -> RobotState:
        """Waits for the next turn, then asks all servos. After an ArmFaultError the fingers are as ``on_loss`` says."""
        self._await_turn()
        try:
            present = self.ask()
        except ArmFaultError:
            self._stop(release=False)  # trying to get it back keeps the bus from being silent
            raise
        stamp_ns = time.time_ns()
        fault = self._guard.judge(present, self._names, expect_torque=self._state is DriverState.ACTIVE)
        self._note(present)
        if fault is not None and not self._guided:
            self._stop(release=fault.kind in (ArmFaultKind.OVERHEATED, ArmFaultKind.OVERLOADED))
            raise fault
        self._watch_valve(present[-1])
        fingers = list(zip(self.settings.servos, present[:-1], strict=True))
        constant = self.settings.torque_constant_nm_a * table.A_PER_UNIT
        return RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=self._position_rad,
            joint_velocity_rad_s=np.array(
                [servo.direction * seen.velocity * table.RAD_S_PER_UNIT for servo, seen in fingers]
            ),
            joint_effort_nm=np.array([servo.direction * seen.current * constant for servo, seen in fingers]),
            tcp_in_base=PALM_IN_BASE,
        )

    def write(self, set_point: SetPoint) -> None:
        """ACTIVE: joint angles to go to at once. A set point that holds keeps the fingers where it found them.

        While a person guides the fingers nothing is sent. Raises ArmFaultError, and DriverError for a claw that is not
        active.
        """
        expect("claw", self._state, DriverState.ACTIVE, "write()")
        if self._guided:
            return
        if set_point.joint_position_rad is not None:
            self._goal_rad, self._holds = np.array(set_point.joint_position_rad), False
        elif not self._holds:
            self._goal_rad, self._holds = self._position_rad, True
        self._send_goals(self._goal_rad)

    def guide(self, *, by_hand: bool) -> None:
        """ACTIVE: by hand the fingers have no torque and are only read; afterwards they hold where they are left."""
        expect("claw", self._state, DriverState.ACTIVE, "guide()")
        if by_hand:
            self._write_all(table.TORQUE_ENABLE, 0)
            self._guided = True
        else:
            self._take_hold()

    def turn_valve(self, target_rad: float) -> None:
        """ACTIVE: the valve's motor turns it there, the short way, then lets go; ``valve_turns_back`` tells when."""
        expect("claw", self._state, DriverState.ACTIVE, "turn_valve()")
        servo = self.settings.valve
        goal_rad = self._valve_rad + math.remainder(target_rad - self._valve_rad, 2 * math.pi)
        speed = max(1, round(self.settings.valve_speed_rad_s / table.RAD_S_PER_UNIT))
        wanted = (
            (table.BUS_WATCHDOG, self._silence_units),
            (table.PROFILE_VELOCITY, speed),
            (table.GOAL_CURRENT, _units(self.settings.valve_current_limit_a)),
            (table.GOAL_POSITION, to_tick(servo, self._valve_rad)),  # where it was last sent must not count any more
            (table.TORQUE_ENABLE, 1),
            (table.GOAL_POSITION, to_tick(servo, goal_rad)),
        )
        with self._on_bus():
            # Packets that nobody answers: waiting for six answers would hold the fingers' loop up. Whether they were
            # taken shows when the valve arrives.
            for item, value in wanted:
                self._bus.write_all(item, {servo.servo_id: value})
        self._valve_goal = (goal_rad, time.monotonic() + VALVE_TIMEOUT_S)

    def recover(self) -> None:
        """After an ArmFaultError: afterwards the claw holds where it is, as after ``activate``. Nothing moves.

        Raises ArmFaultError while the cause persists. It reboots no servo: one that has shut down needs a person.
        """
        self._bus.close()
        self._reach()
        self._check_servos(recovering=True)
        if self._state is DriverState.ACTIVE:
            self._take_hold()

    def detector(self) -> bool | None:
        """A claw has no detector of a connection."""
        return None

    def deactivate(self) -> None:
        """Afterwards the claw is INACTIVE: it has no torque, so that no servo grows hot while nobody looks."""
        expect("claw", self._state, DriverState.ACTIVE, "deactivate()")
        self._state = DriverState.INACTIVE
        self._guided = False
        self._let_go()

    def close(self) -> None:
        """Lets the fingers go, where the bus still can be reached. Afterwards the claw is UNCONFIGURED."""
        with contextlib.suppress(ArmFaultError):
            if self._state is not DriverState.UNCONFIGURED:
                self._let_go()
        self._bus.close()
        self._state = DriverState.UNCONFIGURED

    # --- on the bus ---------------------------------------------------------------------------------------------------

    def _reach(self) -> None:
        """Opens the port, asks every servo for itself, and sets up what lies in RAM. No servo has torque afterwards.

        Where one is missing the others have let go all the same, if ``on_loss`` says so.
        """
        with self._on_bus():
            self._bus.open()
            if self.settings.on_loss == "release":
                self._let_go()
            else:
                self.let_valve_go()
            self._find_all()
            for servo_id in self._names:
                self._bus.write(servo_id, table.TORQUE_ENABLE, 0)
                self._bus.write(servo_id, table.BUS_WATCHDOG, 0)
                for item, address in indirect_addresses():
                    self._bus.write(servo_id, item, address)
        self._valve_goal = None
        self._next_s = time.monotonic()
        self._note(self.ask())

    def _await_servos(self) -> None:
        deadline_s = time.monotonic() + self.settings.connect_timeout_s
        while True:
            try:
                return self._reach()
            except ArmFaultError:
                self._bus.close()
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(CONNECT_RETRY_S)

    def _find_all(self) -> None:
        missing = []
        for servo_id, joint in self._names.items():
            try:
                self._bus.ping(servo_id)
            except NoAnswerError:
                missing.append(f"{servo_id} ({joint})")
        if missing:
            raise ArmFaultError(
                ArmFaultKind.CONNECTION_LOST,
                f"no answer from servo {', '.join(missing)} on {self.settings.port} at {self.settings.baud_rate} baud: "
                "look at its cable and supply; `tenon claw setup` looks for servos of another baud rate or ID",
            )

    def _check_eeprom(self) -> None:
        with self._on_bus():
            wrong = [
                f"{item.name} of servo {servo_id} is {found}, {value} is needed"
                for servo_id in self._names
                for item, value in wanted(self.settings)
                if (found := self._bus.read(servo_id, item)) != value
            ]
        if wrong:
            self._bus.close()
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise DriverError(f"{wrong[0]}{more}: run `tenon claw setup`")

    def _check_servos(self, *, recovering: bool = False) -> None:
        fault = self._guard.judge(self.ask(), self._names, expect_torque=False, recovering=recovering)
        if fault is not None:
            raise fault

    def _take_hold(self) -> None:
        """Torque on, with the goal where each finger is. All let go where one cannot."""
        self._guard.restart()
        self._note(self.ask())
        try:
            with self._on_bus():
                ticks = [self._take_hold_by(servo.servo_id) for servo in self.settings.servos]
        except ArmFaultError:
            self._stop(release=True)
            raise
        held = zip(self.settings.servos, ticks, strict=True)
        self._goal_rad = np.array([to_rad(servo, tick) for servo, tick in held])
        self._holds, self._guided = True, False

    def _take_hold_by(self, servo_id: int) -> int:
        """One servo. Its torque comes last: it must find neither an older goal nor more current. Returns the goal."""
        self._bus.write(servo_id, table.BUS_WATCHDOG, 0)  # one that has tripped takes nothing else
        tick = self._bus.read(servo_id, table.PRESENT_POSITION)
        self._bus.write(servo_id, table.GOAL_CURRENT, _units(self.settings.current_limit_a))
        self._bus.write(servo_id, table.GOAL_POSITION, tick)
        if self.settings.on_loss == "release":
            self._bus.write(servo_id, table.BUS_WATCHDOG, self._silence_units)
        self._bus.write(servo_id, table.TORQUE_ENABLE, 1)
        return tick

    @property
    def _silence_units(self) -> int:
        """For the watchdog of a servo: how long the bus may be silent."""
        return max(1, round(self.settings.bus_watchdog_s / table.S_PER_WATCHDOG_UNIT))

    def _send_goals(self, goal_rad: Vector) -> None:
        servos = self.settings.servos
        goals = {
            servo.servo_id: to_tick(servo, float(angle_rad)) for servo, angle_rad in zip(servos, goal_rad, strict=True)
        }
        with self._on_bus():
            self._bus.write_all(table.GOAL_POSITION, goals)

    def _write_all(self, item: table.Item, value: int) -> None:
        with self._on_bus():
            self._bus.write_all(item, dict.fromkeys(self._ids, value))

    def _let_go(self) -> None:
        with self._on_bus():
            every = dict.fromkeys(self._names, 0)
            self._bus.write_all(table.TORQUE_ENABLE, every)
            self._bus.write_all(table.BUS_WATCHDOG, every)
        self._valve_goal = None

    def _stop(self, *, release: bool) -> None:
        """What is left to do after a fault; where the bus is gone the servos' own watchdog does it."""
        with contextlib.suppress(ArmFaultError):
            if release or self.settings.on_loss == "release":
                self._let_go()
            else:
                self.let_valve_go()
                self._send_goals(self._position_rad)

    def let_valve_go(self) -> None:
        """Its motor turns it no further. Raises ArmFaultError."""
        self._valve_goal = None
        with self._on_bus():
            for item in (table.TORQUE_ENABLE, table.BUS_WATCHDOG):
                self._bus.write_all(item, {self.settings.valve.servo_id: 0})

    def ask(self) -> list[Present]:
        """One answer from all, at once; some may be missing or damaged before that. Raises ArmFaultError."""
        with self._on_bus():
            for attempt in range(self.settings.misses_max + 1):
                try:
                    return self._bus.read_present()
                except NoAnswerError:
                    self.misses += 1
                    if attempt == self.settings.misses_max:
                        self._find_all()
                        raise
        raise AssertionError("the loop either returns or raises")

    @contextlib.contextmanager
    def _on_bus(self) -> Iterator[None]:
        """Turns what goes wrong on the bus into the faults of an arm."""
        try:
            yield
        except BusLostError as error:
            raise ArmFaultError(ArmFaultKind.CONNECTION_LOST, str(error)) from error
        except NoAnswerError as error:
            raise ArmFaultError(ArmFaultKind.BAD_DATA, f"{error}; {self.misses} answers were lost so far") from error
        except BusError as error:
            raise ArmFaultError(ArmFaultKind.NOT_READY, f"{error}. Switch the claw's supply off and on") from error

    # --- in between ---------------------------------------------------------------------------------------------------

    def _await_turn(self) -> None:
        now_s = time.monotonic()
        if now_s - self._next_s > self.period_s / 2:
            self.late += 1
            self._next_s = now_s
        elif self._next_s > now_s:
            time.sleep(self._next_s - now_s)
        self._next_s += self.period_s

    def _note(self, present: list[Present]) -> None:
        fingers = zip(self.settings.servos, present[:-1], strict=True)
        self._position_rad = np.array([to_rad(servo, seen.position) for servo, seen in fingers])
        valve = self.settings.valve
        self._valve_rad = to_rad(valve, present[-1].position)
        self._valve_speed_rad_s = valve.direction * present[-1].velocity * table.RAD_S_PER_UNIT

    def _watch_valve(self, seen: Present) -> None:
        """Lets the valve go once it is where it shall be. A valve that does not get there is a fault."""
        if self._valve_goal is None:
            return
        if seen.watchdog == table.WATCHDOG_TRIPPED:
            self.let_valve_go()
            raise ArmFaultError(
                ArmFaultKind.COMMAND_TIMEOUT,
                f"the valve's servo heard nothing for {self.settings.bus_watchdog_s:g} s while it turned, and stopped: "
                "look at the machine's load and at the adapter's cable",
            )
        goal_rad, deadline_s = self._valve_goal
        arrived = abs(goal_rad - self._valve_rad) < VALVE_THERE_RAD
        if not arrived and time.monotonic() < deadline_s:
            return
        self.let_valve_go()
        if not arrived:
            raise ArmFaultError(
                ArmFaultKind.OVERLOADED,
                f"the valve stands at {self._valve_rad:.2f} rad and was to turn to {goal_rad:.2f} within "
                f"{VALVE_TIMEOUT_S:g} s ({abs(seen.current) * table.A_PER_UNIT:.2f} A): free it from the fingers",
            )


def _units(current_a: float) -> int:
    return round(current_a / table.A_PER_UNIT)
