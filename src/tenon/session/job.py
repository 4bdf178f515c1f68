"""What a session's nodes must know of the work at hand, whichever kind it is: the one place where kinds differ.

An insertion moves the TCP of an arm towards a goal pose; a claw moves its joints to turn a valve. Both are asked for
the same things: what an observation holds, when it is done, how an episode's start is reached, where the goal is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tenon.configuration.base import Config
from tenon.configuration.session import ControllerName
from tenon.control.observer import Tick
from tenon.control.types import Pose, Reference, Vector
from tenon.data.transitions import EnvironmentSpec
from tenon.session.reset import ResetStep


class StartMotion(Protocol):
    """The way back to the start of an episode, one attempt."""

    def step(self, tcp_in_base: Pose, state: Vector, stamp_ns: int) -> ResetStep:
        """Once per control tick until ``over``. state: of the observation at stamp_ns."""
        ...

    def stay(self, stamp_ns: int) -> Reference:
        """Keeps the robot where the motion has ended, for the tick of stamp_ns."""
        ...


class Job(Protocol):
    """One kind of work, with the robot that does it."""

    @property
    def controller_node(self) -> str:
        """The node that turns actions into references."""
        ...

    @property
    def controllers(self) -> tuple[ControllerName, ...]:
        """What can act."""
        ...

    @property
    def horizon_steps(self) -> int: ...

    @property
    def reference_ramp_s(self) -> float:
        """Time in which the inner loop goes to a new reference."""
        ...

    @property
    def force_limit_n(self) -> float:
        """More than this on the tool counts as a violation."""
        ...

    @property
    def goal_error_m(self) -> float:
        """How far the goal may be off where the session does not say."""
        ...

    @property
    def goal_error_min_m(self) -> float | None: ...

    @property
    def has_detector(self) -> bool:
        """Whether the stand itself can tell that it is done."""
        ...

    @property
    def awaits_electrical(self) -> bool:
        """Whether the stand's word comes on ``task/electrical``, without which no observation is complete."""
        ...

    @property
    def zeroes_force(self) -> bool:
        """Whether an episode begins with the force sensor zeroed."""
        ...

    @property
    def robot_name(self) -> str:
        """Arm or hand, for the records."""
        ...

    @property
    def parts(self) -> tuple[Config, ...]:
        """The configurations that make it what it is."""
        ...

    @property
    def environment_spec(self) -> EnvironmentSpec:
        """What a learner must know."""
        ...

    def controller_version(self, controller: str) -> str:
        """What an action means under a controller, as a hash: a policy is good only under the one it learnt with."""
        ...

    def kinematics(self) -> Callable[[Vector], Pose]:
        """From joint angles to the pose whose workspace the supervisor watches."""
        ...

    def goal_in_base(self, seed: int, goal_error_m: Vector) -> Pose:
        """The goal of episode ``seed`` as the robot is told it. goal_error_m (3,): what it is off by."""
        ...

    def observe(self, tick: Tick, goal_in_base: Pose) -> Vector:
        """The state vector (state_size,)."""
        ...

    def is_done(self, tick: Tick, goal_in_base: Pose) -> bool | None:
        """By the stand's own detector; None without one."""
        ...

    def begin_start_motion(self, goal_in_base: Pose, begin_ns: int) -> StartMotion:
        """begin_ns: session time of the first step."""
        ...
