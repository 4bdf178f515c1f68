"""Demonstrations by hand: a person moves the fingers, which have no torque, and the servos tell where they are.

Source: awac.md section 4 (ten demonstrations by hand). What a person does becomes the action that would have asked for
it: the joint angles that follow, as desired joint angles.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon.control.loop import SetPoint
from tenon.control.types import RobotState, Vector
from tenon.data.transitions import Observation, Transition
from tenon.simulation.valve_task import ValveDraw, ValveTask
from tenon_claw.driver import PALM_IN_BASE, ClawDriver

START_TIMEOUT_S = 10.0


def go_to_start(driver: ClawDriver, task: ValveTask, draw: ValveDraw) -> None:
    """Fingers clear of the valve, then the valve to where the episode begins. Raises ArmFaultError."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    state = driver.read()
    goal_rad = state.joint_position_rad
    step_rad = task.config.joint_speed_rad_s * driver.period_s
    while np.abs(state.joint_position_rad - task.start_rad).max() > task.config.start_tolerance_rad:
        if time.monotonic() > deadline_s:
            raise ArmFaultError(
                ArmFaultKind.OVERLOADED, "the fingers do not come clear of the valve: free them by hand"
            )
        goal_rad = goal_rad + np.clip(task.start_rad - goal_rad, -step_rad, step_rad)
        state = _turn(driver, goal_rad)
    driver.turn_valve(draw.valve_rad)
    while driver.valve_turns_back:
        _turn(driver, task.start_rad)


def record(
    driver: ClawDriver, task: ValveTask, draw: ValveDraw, *, session: str, episode: int, enough: Callable[[], bool]
) -> tuple[Transition, ...]:
    """One demonstration, from fingers let go to fingers held again.

    enough: asked at every control tick, whether the person is done before the horizon. Raises ArmFaultError.
    """
    driver.guide(by_hand=True)
    try:
        seen = _watch(driver, task, enough)
    finally:
        driver.guide(by_hand=False)
    return tuple(
        _transition(task, draw, before, after, session=session, episode=episode, step=step, last=step == len(seen) - 2)
        for step, (before, after) in enumerate(pairwise(seen))
    )


def _watch(driver: ClawDriver, task: ValveTask, enough: Callable[[], bool]) -> list[tuple[RobotState, float]]:
    """Reading and valve's angle at each control tick, the first one included."""
    turns = max(1, round(task.config.control_period_s / driver.period_s))
    seen = [(driver.read(), driver.valve_rad)]
    while len(seen) <= task.config.horizon_steps:
        for _ in range(turns):
            state = driver.read()
        seen.append((state, driver.valve_rad))
        if enough():
            break
    return seen


def _transition(
    task: ValveTask,
    draw: ValveDraw,
    before: tuple[RobotState, float],
    after: tuple[RobotState, float],
    *,
    session: str,
    episode: int,
    step: int,
    last: bool,
) -> Transition:
    success = task.is_turned(after[1], draw.target_rad)
    return Transition(
        session=session,
        episode=episode,
        step=step,
        observation=_observation(task, before, draw),
        action=task.action(after[0].joint_position_rad).astype(np.float32),
        reward=float(success) - 1.0,
        next_observation=_observation(task, after, draw),
        terminated=False,
        truncated=last,
        success=success,
    )


def _observation(task: ValveTask, seen: tuple[RobotState, float], draw: ValveDraw) -> Observation:
    state, valve_rad = seen
    return Observation(task.observe(state.joint_position_rad, state.joint_velocity_rad_s, valve_rad, draw.target_rad))


def _turn(driver: ClawDriver, goal_rad: Vector) -> RobotState:
    state = driver.read()
    driver.write(SetPoint(PALM_IN_BASE, goal_rad, holding=False, reason=""))
    return state
