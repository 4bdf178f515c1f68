"""Figures as an operator reads them."""

from __future__ import annotations

import math

from tenon.control.geometry import roll_pitch_yaw
from tenon.control.types import Vector

NONE = "–"
SECONDS_SHOWN_FROM_S = 1.0


def percent(fraction: float | None) -> str:
    return NONE if fraction is None else f"{100.0 * fraction:.0f} %"


def hertz(rate_hz: float | None) -> str:
    return NONE if rate_hz is None else f"{rate_hz:.1f} Hz"


def milliseconds(seconds: float | None) -> str:
    return NONE if seconds is None else f"{1e3 * seconds:.0f} ms"


def age(seconds: float | None) -> str:
    """Whole seconds, minutes from two on; empty below one, where it is of no interest."""
    if seconds is None:
        return NONE
    if seconds < SECONDS_SHOWN_FROM_S:
        return ""
    return f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"


def millimetres(position_m: Vector) -> str:
    """position_m: (3,)."""
    return ", ".join(f"{axis} {1e3 * value:.1f}" for axis, value in zip("xyz", position_m, strict=True)) + " mm"


def size(count_bytes: int) -> str:
    """Bytes in the unit that leaves at most three digits before the point."""
    value = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000.0:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024.0
    return f"{value:.1f} TiB"


def angles(quaternion_xyzw: Vector) -> str:
    """Roll, pitch and yaw (about x, y and z of the base, in this order), in degrees."""
    named = zip(("roll", "pitch", "yaw"), roll_pitch_yaw(quaternion_xyzw), strict=True)
    return ", ".join(f"{name} {math.degrees(value):.1f}°" for name, value in named)
