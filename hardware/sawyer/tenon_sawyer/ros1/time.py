"""ROS 1 time and duration: whole seconds and nanoseconds, as they travel in messages."""

from __future__ import annotations

import functools
from numbers import Integral
from typing import Self

NS_PER_S = 1_000_000_000


@functools.total_ordering
class _Span:
    """What time and duration share. secs, nsecs: kept normalised, 0 <= nsecs < 1e9."""

    __slots__ = ("nsecs", "secs")

    def __init__(self, secs: float = 0, nsecs: int = 0) -> None:
        """secs may be a float as long as nsecs is left out. Raises ValueError where both carry a fraction."""
        if not isinstance(secs, Integral):  # numpy's float32 is no float
            if nsecs:
                raise ValueError(f"seconds as a float ({secs}) leave no room for nanoseconds ({nsecs})")
            secs, nsecs = 0, round(secs * NS_PER_S)
        self.secs, self.nsecs = divmod(int(secs) * NS_PER_S + int(nsecs), NS_PER_S)

    @classmethod
    def from_nsec(cls, nanoseconds: int) -> Self:
        return cls(*divmod(nanoseconds, NS_PER_S))

    @classmethod
    def from_sec(cls, seconds: float) -> Self:
        return cls(float(seconds))

    def to_nsec(self) -> int:
        return self.secs * NS_PER_S + self.nsecs

    def to_sec(self) -> float:
        return self.secs + self.nsecs / NS_PER_S

    def is_zero(self) -> bool:
        return self.secs == 0 and self.nsecs == 0

    def __bool__(self) -> bool:
        return not self.is_zero()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Span) and type(self).kind == type(other).kind and self.to_nsec() == other.to_nsec()

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Span) or type(self).kind != type(other).kind:
            return NotImplemented
        return self.to_nsec() < other.to_nsec()

    def __hash__(self) -> int:
        return hash((type(self).kind, self.to_nsec()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{self.to_nsec()}]"

    kind = "span"


class Duration(_Span):
    """A length of time; may be negative."""

    __slots__ = ()
    kind = "duration"

    def __neg__(self) -> Duration:
        return Duration.from_nsec(-self.to_nsec())

    def __add__(self, other: object) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        return type(self).from_nsec(self.to_nsec() + other.to_nsec())

    def __sub__(self, other: object) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        return type(self).from_nsec(self.to_nsec() - other.to_nsec())

    def __mul__(self, factor: float) -> Duration:
        return type(self).from_nsec(round(self.to_nsec() * factor))

    __rmul__ = __mul__


class Time(_Span):
    """A point in time since the epoch of its clock."""

    __slots__ = ()
    kind = "time"

    def __init__(self, secs: float = 0, nsecs: int = 0) -> None:
        super().__init__(secs, nsecs)
        if self.secs < 0:
            raise ValueError(f"a time lies after the epoch, {self.to_sec():g} s were given")

    def __add__(self, other: object) -> Time:
        if not isinstance(other, Duration):
            return NotImplemented
        return type(self).from_nsec(self.to_nsec() + other.to_nsec())

    __radd__ = __add__

    def __sub__(self, other: object) -> Time | Duration:
        if isinstance(other, Time):
            return Duration.from_nsec(self.to_nsec() - other.to_nsec())
        if isinstance(other, Duration):
            return type(self).from_nsec(self.to_nsec() - other.to_nsec())
        return NotImplemented
