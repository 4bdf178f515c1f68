"""Connector insertion as a Gymnasium environment: a residual on a P-controller, over the full arm in MuJoCo.

One step is one tick of the robot's outer loop. The command that answers the observation of tick t is applied from tick
t on, for one control period; the observation of tick t + 1 is taken at its end. The ROS graph in lockstep does so too.

Source of the task: Schoettler et al., 2020 (``specs`` of the insertion task); the numbers stand in ``config/tasks``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.residual import ResidualCommand, ResidualController
from tenon.control.types import Pose, RobotState, Vector
from tenon.data.transitions import EnvironmentSpec, ImageSpec
from tenon.environments.observation import ACTION_SIZE, insertion_space, insertion_spec, insertion_state
from tenon.environments.rewards import make_reward
from tenon.rewards import RewardObservation
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.scene import WRIST_CAMERA
from tenon.simulation.tasks import EpisodeDraw, InsertionTaskConfig, draw_episode

ArmRewardName = Literal["electrical", "dense"]
ObservationName = Literal["state", "image"]
Array = NDArray[np.float32]
InsertionObservation = Array | dict[str, NDArray[Any]]

IMAGE_PX = 64
SEED_RANGE = 2**31
TARE_READINGS = 50


class InsertionEnv(gymnasium.Env[InsertionObservation, Array]):  # type: ignore[misc]
    """Observation (4,) float32: [x - x_hat (3) in m, f_z in N]; ``spec`` tells the scale at which to learn from it.

    With observation="image" it is {"state": (4,), "image": (64, 64, 3) uint8}, the wrist camera's picture.

    x_hat: the estimated goal; f_z: force on the tool along the base's z, tare subtracted, positive when pressed down.
    Action (3,) float32 in [-1, 1]: the residual, times the task's residual.authority_m (1 mm).
    Reward: "electrical" pays 1 on each step on which the connection is made; "dense" is eq. (48), sign repaired.
    An episode ends by truncation after horizon_steps, never by termination: the connection is paid on every step.

    ``reset(seed=n)`` starts episode ``draw(n)``; ``options={"goal_error_scale": 0.0}`` gives it a perfectly known goal.
    ``options={"seated": True}`` starts it with the plug in the socket.
    ``command`` is the last step's ResidualCommand.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        arm: ArmConfig,
        connector: ConnectorConfig,
        task: InsertionTaskConfig,
        *,
        reward: ArmRewardName = "electrical",
        observation: ObservationName = "state",
        render_mode: str | None = None,
        render_size_px: tuple[int, int] = (640, 480),
    ) -> None:
        self.task, self.connector, self.render_mode = task, connector, render_mode
        self.simulation = InsertionSimulation(arm, connector, task)
        self.controller = ResidualController(task.residual)
        self.command: ResidualCommand | None = None
        self._image = ImageSpec(height=IMAGE_PX, width=IMAGE_PX, channels=3) if observation == "image" else None
        self.spec: EnvironmentSpec = insertion_spec(task.observation_scale, self._image)
        self._reward = make_reward(reward, connector, task.success_tolerance_m)
        self._render_size_px = render_size_px
        self._substeps = round(task.control_period_s / task.scene.physics.timestep_s)
        self.observation_space = insertion_space(self._image)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)

    @property
    def position_m(self) -> Vector:
        """Where the TCP is (3,), in axes of the base."""
        return self._state.tcp_in_base.position_m

    @property
    def goal_m(self) -> Vector:
        """The estimated goal (3,) of this episode, which the hand-written controller heads for."""
        return self._goal.position_m

    def draw(self, seed: int, *, goal_error_scale: float = 1.0) -> EpisodeDraw:
        """What varies in episode ``seed``: the same here, in the ROS graph, today and tomorrow."""
        return draw_episode(self.task, self.connector, seed, goal_error_scale=goal_error_scale)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[InsertionObservation, dict[str, Any]]:
        """Without a seed, the next episode is drawn by the environment's own generator."""
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        chosen = options or {}
        draw = self.simulation.reset(
            episode,
            goal_error_scale=float(chosen.get("goal_error_scale", 1.0)),
            seated=bool(chosen.get("seated", False)),
        )
        self._goal = self.simulation.estimated_goal_in_base
        self._steps = 0
        self.command = None
        readings = [self.simulation.state().wrench_in_base for _ in range(TARE_READINGS)]
        self._tare = np.mean(readings, axis=0)
        self._state = self.simulation.state()
        return self._observation(self._state), {"episode": episode, "draw": draw}

    def step(self, action: Array) -> tuple[InsertionObservation, float, bool, bool, dict[str, Any]]:
        """One control period.

        info: success, depth_m, peak_force_n, vertical_force_n (as the policy reads it), tcp_in_base_m.
        """
        residual, here = np.asarray(action, np.float64), self._state.tcp_in_base
        press_n = self._press_n(self._state)
        self.command = self.controller.command(here.position_m, self._goal.position_m, residual, press_n=press_n)
        self.simulation.step(Pose(self.command.target_m, self._goal.quaternion_xyzw), self._substeps)
        self._state = self.simulation.state()
        self._steps += 1
        success = self.simulation.electrical()
        info = {
            "success": success,
            "depth_m": self.simulation.depth_m,
            "peak_force_n": self.simulation.peak_force_n,
            "vertical_force_n": self._press_n(self._state),
            "tcp_in_base_m": self._state.tcp_in_base.position_m,
        }
        truncated = self._steps >= self.task.horizon_steps
        return self._observation(self._state), self._reward_now(connected=success), False, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """The overview camera's frame."""
        return self.simulation.render("overview", *self._render_size_px)

    def close(self) -> None:
        self.simulation.close()

    def _press_n(self, state: RobotState) -> float:
        return float(state.wrench_in_base[2] - self._tare[2])

    def _observation(self, state: RobotState) -> InsertionObservation:
        seen = insertion_state(state.tcp_in_base.position_m, self._goal.position_m, self._press_n(state))
        if self._image is None:
            return seen
        return {"state": seen, "image": self.simulation.render(WRIST_CAMERA, self._image.width, self._image.height)}

    def _reward_now(self, *, connected: bool) -> float:
        observation = RewardObservation(
            position_error_m=self._state.tcp_in_base.position_m - self._goal.position_m,
            pressing_force_n=self._press_n(self._state),
            electrical=connected,
        )
        return self._reward.reward(observation).value


def make_insertion(
    robot: str = "ur5",
    task: str = "hard",
    *,
    connector: str | Path | None = None,
    observation: ObservationName = "state",
    reward: ArmRewardName = "electrical",
    render_mode: str | None = None,
) -> InsertionEnv:
    """The environment of named (or user-written, by path) configurations. Raises ConfigurationError.

    connector: instead of the task's own.
    """
    task_config = load_named(InsertionTaskConfig, ConfigKind.TASKS, task)
    return InsertionEnv(
        load_named(ArmConfig, ConfigKind.ARMS, robot),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, connector or task_config.connector),
        task_config,
        reward=reward,
        observation=observation,
        render_mode=render_mode,
    )
