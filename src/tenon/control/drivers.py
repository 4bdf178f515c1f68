"""What every arm's driver is to the rest: the words of its life, its faults, and the protocol that a node drives."""

from __future__ import annotations

import enum
from typing import Protocol, runtime_checkable

from tenon.control.loop import SetPoint
from tenon.control.types import RobotState


class DriverState(enum.Enum):
    """UNCONFIGURED: there is no arm yet. INACTIVE: it holds its pose. ACTIVE: it follows references."""

    UNCONFIGURED = "unconfigured"
    INACTIVE = "inactive"
    ACTIVE = "active"


class DriverError(RuntimeError):
    """The arm cannot do that as it is now. The message names what was seen and what to do first."""


class ArmFaultKind(enum.StrEnum):
    """Names of what befalls a device. The arm is held, by the device itself where nobody can reach it."""

    CONNECTION_LOST = "connection_lost"  # cable, network, power, or a process that hangs
    CONTROLLER_RESTARTED = "controller_restarted"  # it runs, but not what we had started on it
    PROTECTIVE_STOP = "protective_stop"  # the device stopped by itself: collision, limits
    EMERGENCY_STOP = "emergency_stop"  # a person pressed the button
    SAFEGUARD_STOP = "safeguard_stop"  # a fence, a curtain, a person's enabling switch
    NOT_READY = "not_ready"  # powered off, brakes on, local control
    COMMAND_TIMEOUT = "command_timeout"  # the device heard no command for longer than its watchdog allows
    OVERHEATED = "overheated"
    OVERLOADED = "overloaded"
    BAD_DATA = "bad_data"  # what arrived cannot be: garbage, or old readings again


class ArmFaultError(RuntimeError):
    """The device has stopped, or cannot be reached. The message says what was seen and what a person does."""

    def __init__(self, kind: ArmFaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ArmProcessError(ArmFaultError):
    """The device's library hangs on to a connection that is gone: only a new process can have another one."""


START_ANEW_STATUS = 75
"""Exit status with which a driver's process asks for that."""


def expect(device: str, state: DriverState, wanted: DriverState, call: str) -> None:
    """Raises DriverError for a call that is for another state of the driver."""
    if state is not wanted:
        raise DriverError(f"the {device} is {state.value}: {call} is for one that is {wanted.value}")


class ArmDriver(Protocol):
    """A physical arm. Not thread-safe: one loop reads, writes and recovers.

    ``configure`` -> INACTIVE, ``activate`` -> ACTIVE, ``deactivate`` -> INACTIVE, ``close`` -> UNCONFIGURED.
    """

    @property
    def state(self) -> DriverState: ...

    @property
    def period_s(self) -> float:
        """Of the device's control loop; known once it is configured."""
        ...

    @property
    def joint_names(self) -> tuple[str, ...]: ...

    @property
    def description(self) -> str:
        """Which device this is, where, and which software it runs, for people; known once it is configured."""
        ...

    def configure(self) -> None:
        """Reaches the device and checks that it is the right one, ready, and set up as the file says.

        The arm does not move. Raises DriverError or ArmFaultError, with what to do.
        """
        ...

    def activate(self) -> None:
        """Afterwards the device takes commands; the arm holds where it is until the first ``write``."""
        ...

    def read(self) -> RobotState:
        """Waits for the next reading, at most a few periods: it sets the pace of the loop. Raises ArmFaultError."""
        ...

    def write(self, set_point: SetPoint) -> None:
        """Sends the set point of this turn. ACTIVE only. Raises ArmFaultError."""
        ...

    def recover(self) -> None:
        """After an ArmFaultError, once: gets the device back to where it takes commands, without moving it.

        Raises ArmFaultError while the cause persists, ArmProcessError where this process cannot. Never does what a
        person has to do: it unlocks nothing.
        """
        ...

    def detector(self) -> bool | None:
        """Whether the connection is made, where the detector is wired to the device; None where it is not."""
        ...

    def deactivate(self) -> None:
        """Afterwards the arm holds the pose it has now and takes no commands."""
        ...

    def close(self) -> None:
        """Lets the device go; it is left holding."""
        ...


@runtime_checkable
class LingeringArm(Protocol):
    """An arm whose connection takes long to end: a fault is told before, else it would be known by its silence only."""

    def let_go(self) -> None:
        """Ends a connection over which a fault has come; ``recover`` makes another one."""
        ...


@runtime_checkable
class GuidedArm(Protocol):
    """An arm that a person can move by hand."""

    def guide(self, *, by_hand: bool) -> None:
        """The arm gives way to a hand and takes no set points; or it ends that, and holds. ACTIVE only.

        Raises DriverError where the device refuses.
        """
        ...
