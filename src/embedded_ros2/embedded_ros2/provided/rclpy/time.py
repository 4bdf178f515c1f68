"""``Time``, as in rclpy: non-negative nanoseconds since the epoch of a clock, with the clock's type."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard, overload

from .clock_type import ClockType
from .constants import S_TO_NS
from .duration import Duration

if TYPE_CHECKING:
    import builtin_interfaces.msg

_INT64_LIMIT = 2**63


class Time:
    """A point in time. Points of different clock types cannot be compared or subtracted.

    :raises ValueError: on negative seconds or nanoseconds.
    :raises OverflowError: when the sum does not fit a signed 64-bit count of nanoseconds.
    """

    __slots__ = ("_clock_type", "_nanoseconds")

    def __init__(
        self, *, seconds: float = 0, nanoseconds: float = 0, clock_type: ClockType = ClockType.SYSTEM_TIME
    ) -> None:
        if not isinstance(clock_type, ClockType):
            raise TypeError("Clock type must be a ClockType enum")
        if seconds < 0:
            raise ValueError("Seconds value must not be negative")
        if nanoseconds < 0:
            raise ValueError("Nanoseconds value must not be negative")
        total = int(seconds * S_TO_NS) + int(nanoseconds)
        if total >= _INT64_LIMIT:
            raise OverflowError("Total nanoseconds value is too large to store in C time point.")
        self._nanoseconds = total
        self._clock_type = clock_type

    @property
    def nanoseconds(self) -> int:
        return self._nanoseconds

    @property
    def clock_type(self) -> ClockType:
        return self._clock_type

    def seconds_nanoseconds(self) -> tuple[int, int]:
        """Returns whole seconds and the remaining nanoseconds."""
        return divmod(self._nanoseconds, S_TO_NS)

    def __repr__(self) -> str:
        return f"Time(nanoseconds={self._nanoseconds}, clock_type={self._clock_type.name})"

    def __add__(self, other: Duration) -> Time:
        if not isinstance(other, Duration):
            return NotImplemented
        return self._shifted(other.nanoseconds, "addition")

    __radd__ = __add__

    @overload
    def __sub__(self, other: Time) -> Duration: ...

    @overload
    def __sub__(self, other: Duration) -> Time: ...

    def __sub__(self, other: Time | Duration) -> Time | Duration:
        if isinstance(other, Time):
            if self._clock_type != other._clock_type:
                raise TypeError("Can't subtract times with different clock types")
            return Duration(nanoseconds=self._nanoseconds - other._nanoseconds)
        if isinstance(other, Duration):
            return self._shifted(-other.nanoseconds, "subtraction")
        return NotImplemented

    def _shifted(self, nanoseconds: int, operation: str) -> Time:
        try:
            return Time(nanoseconds=self._nanoseconds + nanoseconds, clock_type=self._clock_type)
        except OverflowError as error:
            raise OverflowError(f"{operation.capitalize()} leads to overflow in C storage.") from error
        except ValueError as error:
            raise ValueError(f"{operation.capitalize()} leads to negative time") from error

    def _comparable(self, other: object) -> TypeGuard[Time]:
        if not isinstance(other, Time):
            return False
        if self._clock_type != other._clock_type:
            raise TypeError("Can't compare times with different clock types")
        return True

    def __eq__(self, other: object) -> bool:
        return self._nanoseconds == other._nanoseconds if self._comparable(other) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return self._nanoseconds != other._nanoseconds if self._comparable(other) else NotImplemented

    def __lt__(self, other: Time) -> bool:
        return self._nanoseconds < other._nanoseconds if self._comparable(other) else NotImplemented

    def __le__(self, other: Time) -> bool:
        return self._nanoseconds <= other._nanoseconds if self._comparable(other) else NotImplemented

    def __gt__(self, other: Time) -> bool:
        return self._nanoseconds > other._nanoseconds if self._comparable(other) else NotImplemented

    def __ge__(self, other: Time) -> bool:
        return self._nanoseconds >= other._nanoseconds if self._comparable(other) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as in rclpy: equality may raise

    def to_msg(self) -> builtin_interfaces.msg.Time:
        from builtin_interfaces.msg import Time as TimeMsg

        seconds, nanoseconds = divmod(self._nanoseconds, S_TO_NS)
        return TimeMsg(sec=seconds, nanosec=nanoseconds)

    @classmethod
    def from_msg(cls, msg: builtin_interfaces.msg.Time, clock_type: ClockType = ClockType.ROS_TIME) -> Time:
        if not (hasattr(msg, "sec") and hasattr(msg, "nanosec")):
            raise TypeError("Must pass a builtin_interfaces.msg.Time object")
        return cls(nanoseconds=msg.sec * S_TO_NS + msg.nanosec, clock_type=clock_type)
