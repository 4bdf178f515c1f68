"""A hand on the tool: a spring and a damper between the TCP and where the hand wants it, as strong as a person is.

With it a simulated arm can be guided as a real one is: the arm's own controller must give way to it.
"""

from __future__ import annotations

import mujoco
import numpy as np

from tenon.control.geometry import conjugate, interpolate, multiply, rotation_vector
from tenon.control.types import Pose, Vector

STIFFNESS_N_M, DAMPING_N_S_M, FORCE_MAX_N = 3000.0, 150.0, 40.0
TURN_STIFFNESS_NM_RAD, TURN_DAMPING_NM_S_RAD, TORQUE_MAX_NM = 60.0, 4.0, 8.0
SPEED_M_S = 0.08
"""How fast the hand moves on to where it wants the tool."""


class GuidingHand:
    """Writes into ``xfrc_applied`` of the body that it holds. Not thread-safe."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, body: str, site: str) -> None:
        self._model, self._data = model, data
        self._body, self._site = model.body(body).id, model.site(site).id
        self._quaternion_wxyz = np.zeros(4)
        self._velocity = np.zeros(6)
        self._target: Pose | None = None
        self._held: Pose | None = None

    @property
    def holds(self) -> bool:
        return self._target is not None

    def guide(self, target_in_base: Pose | None) -> None:
        """Where the TCP shall go, slowly, from where it is; None: the hand lets go."""
        self._target = target_in_base
        self._held = None if target_in_base is None else self._tcp()
        self._data.xfrc_applied[self._body] = 0.0

    def apply(self, timestep_s: float) -> None:
        """The hand's force for the next physics step."""
        if self._target is None or self._held is None:
            return
        left_m = float(np.linalg.norm(self._target.position_m - self._held.position_m))
        share = 1.0 if left_m <= SPEED_M_S * timestep_s else SPEED_M_S * timestep_s / left_m
        self._held = interpolate(self._held, self._target, share)
        tcp = self._tcp()
        mujoco.mj_objectVelocity(
            self._model, self._data, mujoco.mjtObj.mjOBJ_SITE, self._site, self._velocity, 0
        )  # angular first
        force = _limited(
            STIFFNESS_N_M * (self._held.position_m - tcp.position_m) - DAMPING_N_S_M * self._velocity[3:], FORCE_MAX_N
        )
        turn = rotation_vector(multiply(self._held.quaternion_xyzw, conjugate(tcp.quaternion_xyzw)))
        torque = _limited(TURN_STIFFNESS_NM_RAD * turn - TURN_DAMPING_NM_S_RAD * self._velocity[:3], TORQUE_MAX_NM)
        arm = tcp.position_m - self._data.xipos[self._body]
        self._data.xfrc_applied[self._body, :3] = force
        self._data.xfrc_applied[self._body, 3:] = torque + np.cross(arm, force)

    def _tcp(self) -> Pose:
        mujoco.mju_mat2Quat(self._quaternion_wxyz, self._data.site_xmat[self._site])
        w, x, y, z = self._quaternion_wxyz
        return Pose(self._data.site_xpos[self._site].copy(), np.array((x, y, z, w)))


def _limited(vector: Vector, longest: float) -> Vector:
    length = float(np.linalg.norm(vector))
    return vector if length <= longest else vector * (longest / length)
