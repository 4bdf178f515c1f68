"""Joins the streams of an arm and its camera into one observation per control tick.

Ticks lie on multiples of the control period, in the time of the sensors' own stamps: a tick closes with the first
TCP pose at or after it. It waits for a wrench from then on, for the detector's word where the stand has one, and (where
the task needs one) for a picture that is no older than the tick allows. A tick that its streams do not complete before
the next one is due is dropped and counted with the name of the stream that was missing; nothing is filled in with old
data.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.control.types import Pose, Vector

_NO_JOINTS = (np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One complete control tick. force_n (3,): on the tool, base axes, tare subtracted. rgb: (h, w, 3), taken
    at rgb_stamp_ns (0 without a picture).

    peak_force_n: longest force since the last tick. electrical: the connection is made; None where nothing tells.
    joint_*: (n,), rad and rad/s.
    """

    stamp_ns: int
    tcp_in_base: Pose
    force_n: Vector
    peak_force_n: float
    electrical: bool | None
    joint_position_rad: Vector
    joint_velocity_rad_s: Vector
    rgb: NDArray[np.uint8] | None
    rgb_stamp_ns: int


class Observer:
    """Feed it samples in any order of topics; ``take`` gives the tick once it is complete."""

    def __init__(self, *, period_ns: int, image_tolerance_ns: int | None, detector: bool = True) -> None:
        """image_tolerance_ns: how much older than the tick a picture may be; None: the task uses no picture.

        detector: whether the stand has one that tells of the connection; without it ``electrical`` is always None.
        """
        self._period_ns = period_ns
        self._electrical: tuple[int, bool] | None = None
        self._detector = detector
        self._joints = _NO_JOINTS
        self._image_tolerance_ns = image_tolerance_ns
        self._next_tick_ns: int | None = None
        self._force: tuple[int, Vector] | None = None
        self._image: tuple[int, NDArray[np.uint8]] | None = None
        self._open: tuple[int, Pose, tuple[Vector, Vector]] | None = None
        self._peak_force_n = 0.0
        self.bias_n = np.zeros(3)
        self.missed: Counter[str] = Counter()

    def on_joints(self, position_rad: Vector, velocity_rad_s: Vector) -> None:
        """(n,) each, of the reading whose pose comes next."""
        self._joints = (position_rad, velocity_rad_s)

    def on_pose(self, stamp_ns: int, tcp_in_base: Pose) -> None:
        if self._next_tick_ns is None or stamp_ns + self._period_ns < self._next_tick_ns:
            # The first pose, or time was set back (a simulation that began anew): start a new grid.
            self._restart(stamp_ns)
        assert self._next_tick_ns is not None
        if stamp_ns < self._next_tick_ns:
            return
        if self._open is not None:
            self.missed[self._lacking(self._open[0]) or "reader"] += 1
        self._open = (stamp_ns, tcp_in_base, self._joints)
        self._next_tick_ns = (stamp_ns // self._period_ns + 1) * self._period_ns

    def on_force(self, stamp_ns: int, force_n: Vector) -> None:
        """force_n (3,): as the sensor gives it; ``bias_n`` is subtracted here."""
        tared_n = force_n - self.bias_n
        self._peak_force_n = max(self._peak_force_n, float(np.linalg.norm(tared_n)))
        self._force = (stamp_ns, tared_n)

    def on_electrical(self, stamp_ns: int, connected: bool) -> None:
        self._electrical = (stamp_ns, connected)

    def on_image(self, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        self._image = (stamp_ns, rgb)

    def take(self) -> Tick | None:
        """The open tick if it is complete, once; None otherwise."""
        if self._open is None or self._lacking(self._open[0]):
            return None
        (stamp_ns, pose, joints), self._open = self._open, None
        assert self._force is not None
        connected = self._electrical[1] if self._detector and self._electrical is not None else None
        rgb_stamp_ns, rgb = 0, None
        if self._image is not None and self._image_tolerance_ns is not None:
            rgb_stamp_ns, rgb = self._image
        peak_force_n, self._peak_force_n = self._peak_force_n, 0.0
        return Tick(stamp_ns, pose, self._force[1], peak_force_n, connected, *joints, rgb, rgb_stamp_ns)

    def _restart(self, stamp_ns: int) -> None:
        self._next_tick_ns = -(-stamp_ns // self._period_ns) * self._period_ns
        self._force = self._electrical = self._image = self._open = None
        self._peak_force_n = 0.0

    def _lacking(self, tick_ns: int) -> str:
        if self._force is None or self._force[0] < tick_ns:
            return "tcp/wrench"
        if self._detector and (self._electrical is None or self._electrical[0] < tick_ns):
            return "task/electrical"
        if self._image_tolerance_ns is not None and (
            self._image is None or self._image[0] < tick_ns - self._image_tolerance_ns
        ):
            return "camera/image_raw"
        return ""
