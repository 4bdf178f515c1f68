"""The whole state of a MuJoCo simulation as one vector: what continues from it continues bit by bit."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

STATE = mujoco.mjtState.mjSTATE_INTEGRATION
"""Time, positions, velocities, actuators, controls, motion-capture bodies, applied forces and the warm start."""


def saved_state(model: mujoco.MjModel, data: mujoco.MjData) -> NDArray[np.float64]:
    """(n,)"""
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, data, state, STATE)
    return state


def restore_state(model: mujoco.MjModel, data: mujoco.MjData, state: NDArray[np.float64]) -> None:
    """Continues from ``state``. Raises ValueError for a state of another model."""
    size = mujoco.mj_stateSize(model, STATE)
    if state.shape != (size,):
        raise ValueError(f"a state of this simulation has shape ({size},), got {state.shape}: it is of another model")
    mujoco.mj_setState(model, data, state, STATE)
    mujoco.mj_forward(model, data)  # also moves the solver's warm start, so the state is set once more
    mujoco.mj_setState(model, data, state, STATE)


def refresh(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Brings poses and velocities in space, which mj_step leaves one step behind, up to the joints."""
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_comVel(model, data)
