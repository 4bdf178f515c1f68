"""``Duration``, as in rclpy: signed 64-bit nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constants import S_TO_NS

if TYPE_CHECKING:
    import builtin_interfaces.msg

_INT64_LIMIT = 2**63


class Duration:
    """A span of time, negative or positive, with nanosecond resolution.

    :raises OverflowError: when seconds + nanoseconds do not fit a signed 64-bit count of nanoseconds.
    """

    __slots__ = ("_nanoseconds",)

    def __init__(self, *, seconds: float = 0, nanoseconds: float = 0) -> None:
        total = int(seconds * S_TO_NS) + int(nanoseconds)
        if not -_INT64_LIMIT <= total < _INT64_LIMIT:
            raise OverflowError(
                "Total nanoseconds value is too large to store in C duration: "
                f"{total} is not in [{-_INT64_LIMIT}, {_INT64_LIMIT})"
            )
        self._nanoseconds = total

    @property
    def nanoseconds(self) -> int:
        return self._nanoseconds

    def __repr__(self) -> str:
        return f"Duration(nanoseconds={self._nanoseconds})"

    def __str__(self) -> str:
        return f"{self._nanoseconds} nanoseconds" if self != Infinite else "Infinite"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Duration):
            return self._nanoseconds == other._nanoseconds
        return NotImplemented

    def __lt__(self, other: Duration) -> bool:
        return self._nanoseconds < other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __le__(self, other: Duration) -> bool:
        return self._nanoseconds <= other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __gt__(self, other: Duration) -> bool:
        return self._nanoseconds > other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __ge__(self, other: Duration) -> bool:
        return self._nanoseconds >= other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._nanoseconds)

    def to_msg(self) -> builtin_interfaces.msg.Duration:
        from builtin_interfaces.msg import Duration as DurationMsg

        seconds, nanoseconds = divmod(self._nanoseconds, S_TO_NS)
        return DurationMsg(sec=seconds, nanosec=nanoseconds)

    @classmethod
    def from_msg(cls, msg: builtin_interfaces.msg.Duration) -> Duration:
        if not (hasattr(msg, "sec") and hasattr(msg, "nanosec")):
            raise TypeError("Must pass a builtin_interfaces.msg.Duration object")
        return cls(nanoseconds=msg.sec * S_TO_NS + msg.nanosec)


Infinite = Duration(nanoseconds=_INT64_LIMIT - 1)
"""Stands for "no limit" in QoS profiles."""
