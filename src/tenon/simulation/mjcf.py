"""Small helpers that write XML: MJCF, and with other elements URDF and SDF."""

from __future__ import annotations

import math
from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from tenon.configuration.arm import Quaternion, Triple


def numbers(values: Iterable[float]) -> str:
    """The values as MJCF writes a vector."""
    return " ".join(f"{float(value):.9g}" for value in values)


def quaternion(quaternion_xyzw: Quaternion) -> str:
    """MJCF's order is w, x, y, z."""
    x, y, z, w = quaternion_xyzw
    return numbers((w, x, y, z))


def element(tag: str, *children: str, **attributes: object) -> str:
    """One element. Attributes that are None are left out; ``class_`` is written as ``class``."""
    written = "".join(
        f" {name.rstrip('_')}={quoteattr(_text(value))}" for name, value in attributes.items() if value is not None
    )
    if not children:
        return f"<{tag}{written}/>"
    return f"<{tag}{written}>{''.join(children)}</{tag}>"


def box(centre_m: Triple, half_m: Triple, *, turn_rad: float = 0.0, **attributes: object) -> str:
    """A box geom, turned about its z axis."""
    turned = numbers((math.cos(turn_rad / 2), 0.0, 0.0, math.sin(turn_rad / 2))) if turn_rad else None
    return element("geom", type="box", pos=numbers(centre_m), size=numbers(half_m), quat=turned, **attributes)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, (tuple, list)):
        return numbers(value)
    return str(value)
