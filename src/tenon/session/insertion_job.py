"""Insertion as a session's job: the TCP of an arm goes to a goal pose; a detector may tell when the plug is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tenon.configuration.base import Config
from tenon.configuration.session import ControllerName
from tenon.control.kinematics import Kinematics
from tenon.control.observer import Tick
from tenon.control.types import ControlMode, Pose, Reference, Vector
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec
from tenon.session.reset import SOURCE, ResetMotion, ResetStep
from tenon.session.stand import Stand, controllers_of, residual_of
from tenon.simulation.insertion import tcp_in_flange

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup

ACTION_SIZE = 3
STATE_SIZE = 4
RGB_CHANNELS = 3


class InsertionJob:
    """A plug over its socket."""

    controller_node = "residual_controller"
    zeroes_force = True

    def __init__(self, setup: SessionSetup, stand: Stand) -> None:
        self._setup, self._stand, self._task = setup, stand, stand.task

    @property
    def controllers(self) -> tuple[ControllerName, ...]:
        return controllers_of(self._task)

    @property
    def horizon_steps(self) -> int:
        return self._task.horizon_steps

    @property
    def reference_ramp_s(self) -> float:
        return self._task.reference_ramp_s

    @property
    def force_limit_n(self) -> float:
        return self._task.force_limit_n

    @property
    def goal_error_m(self) -> float:
        return self._task.goal_error_m

    @property
    def goal_error_min_m(self) -> float | None:
        return self._task.goal_error_min_m

    @property
    def robot_name(self) -> str:
        return self._stand.arm.name

    @property
    def has_detector(self) -> bool:
        return self._stand.robot.detector is not None

    @property
    def awaits_electrical(self) -> bool:
        return self.has_detector

    @property
    def parts(self) -> tuple[Config, ...]:
        return self._stand.arm, self._task, self._stand.connector

    @property
    def environment_spec(self) -> EnvironmentSpec:
        scale = tuple(float(value) for value in self._task.observation_scale.divisors)
        config, image = self._setup.config, None
        if config.observation == "image":
            size = config.observation_image
            image = ImageSpec(height=size.height, width=size.width, channels=RGB_CHANNELS)
        observation = ObservationSpec(state_size=STATE_SIZE, image=image, state_scale=scale)
        return EnvironmentSpec(observation=observation, action_size=ACTION_SIZE)

    def controller_version(self, controller: str) -> str:
        return residual_of(self._task, controller).version

    def kinematics(self) -> Callable[[Vector], Pose]:
        return Kinematics(self._stand.arm, tcp_in_flange(self._stand.connector)).forward

    def goal_in_base(self, _seed: int, goal_error_m: Vector) -> Pose:
        """The socket stands where it stands in every episode."""
        return self._setup.estimated_goal_in_base(goal_error_m)

    def observe(self, tick: Tick, goal_in_base: Pose) -> Vector:
        """(4,): [x - x_hat (3) in m, f_z in N], base axes, f_z positive when pressed down."""
        return np.append(tick.tcp_in_base.position_m - goal_in_base.position_m, tick.force_n[2])

    def is_done(self, tick: Tick, _goal_in_base: Pose) -> bool | None:
        return tick.electrical

    def begin_start_motion(self, goal_in_base: Pose, begin_ns: int) -> InsertionStart:
        config = self._setup.config
        motion = ResetMotion(
            config.reset,
            goal_in_base=goal_in_base,
            start_height_m=self._task.start_height_m,
            control_period_ns=config.control_period_ns,
            begin_ns=begin_ns,
        )
        return InsertionStart(motion, config.command_validity_ns)


class InsertionStart:
    """Out of the socket and to the start pose."""

    def __init__(self, motion: ResetMotion, validity_ns: int) -> None:
        self._motion, self._validity_ns = motion, validity_ns

    def step(self, tcp_in_base: Pose, _state: Vector, stamp_ns: int) -> ResetStep:
        return self._motion.step(tcp_in_base, stamp_ns)

    def stay(self, stamp_ns: int) -> Reference:
        target = self._motion.target_in_base
        return Reference(stamp_ns, ControlMode.CARTESIAN, SOURCE, self._validity_ns, tcp_in_base=target)
