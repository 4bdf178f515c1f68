"""The simulated stand behind an emulated device: joints that go where the device's own protocol sends them.

The emulator of a device calls it at the device's rate; the contact physics happens here, in real time, and nothing
but the protocol knows of it.
"""

from __future__ import annotations

import threading

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config
from tenon.control.types import Pose, RobotState, Vector
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import CARTESIAN_AXES, InsertionSimulation
from tenon.simulation.rendering import Cameras
from tenon.simulation.tasks import EpisodeDraw, InsertionTaskConfig


class JointServoConfig(Config):
    """The servo in the device's joints, from its set point to its torque.

    frequency_rad_s: natural frequency of each joint under it, the arm at its start pose. It stands for the servo and
    for what gives between flange and socket (gripper, plug, fixture): 60 makes 6 to 11 kN/m at the tool of a UR5.
    damping_ratio: 1 is critical.
    """

    frequency_rad_s: PositiveFloat = Field(default=60.0, le=250.0)
    damping_ratio: PositiveFloat = 1.0


class Plant:
    """An arm with its job in MuJoCo, as hardware: joint set points in, readings out. Time passes only in ``advance``.

    Every method may be called from any thread.
    """

    def __init__(
        self,
        arm: ArmConfig,
        connector: ConnectorConfig,
        task: InsertionTaskConfig,
        *,
        seed: int = 0,
        servo: JointServoConfig | None = None,
    ) -> None:
        """The arm stands at the task's start pose and holds it. Raises SimulationError where it cannot reach it."""
        self.arm, self.task = arm, task
        self._lock = threading.Lock()
        self._simulation = InsertionSimulation(arm, connector, task, seed=seed)
        self._lead_s = self._stiffen(servo or JointServoConfig())
        self._target_rad = self._simulation.state().joint_position_rad
        self._velocity_rad_s = np.zeros(self.size)
        self._torque_nm: Vector | None = None
        self._is_guided = False
        self.hold()

    @property
    def size(self) -> int:
        """Number of joints."""
        return len(self.arm.joints)

    @property
    def time_ns(self) -> int:
        """The stand's own time: that of the newest reading, as a device's clock tells it."""
        return self._simulation.time_ns

    def follow_position(self, position_rad: Vector, velocity_rad_s: Vector | None = None) -> None:
        """Joint angles (n,) to be at now, from the next physics step on; ramps are the device's own.

        velocity_rad_s (n,): with which it goes on from there, so that the servo does not lag behind a motion.
        """
        with self._lock:
            self._torque_nm = None
            self._target_rad = np.array(position_rad, dtype=np.float64)
            self._velocity_rad_s = np.zeros(self.size) if velocity_rad_s is None else np.array(velocity_rad_s)
            self._servo(0.0)

    def follow_velocity(self, velocity_rad_s: Vector) -> None:
        """Joint speeds (n,), until the next set point."""
        with self._lock:
            self._settle_target()
            self._velocity_rad_s = np.array(velocity_rad_s, dtype=np.float64)

    def follow_torque(self, torque_nm: Vector) -> None:
        """Joint torques (n,) beside those that carry the arm's weight, until the next set point."""
        with self._lock:
            self._torque_nm = np.array(torque_nm, dtype=np.float64)
            self._simulation.set_joint_torque(self._torque_nm)

    def hold(self) -> None:
        """Stops where the arm is, as brakes do."""
        with self._lock:
            self._torque_nm = None
            self._target_rad = self._simulation.state().joint_position_rad
            self._velocity_rad_s = np.zeros(self.size)
            self._servo(0.0)

    def advance(self, period_s: float) -> None:
        """Lets the stand's time pass: the next whole number of physics steps, one at least.

        Raises SimulationError if the physics has become unstable.
        """
        timestep_s = self.task.scene.physics.timestep_s
        with self._lock:
            for _ in range(max(1, round(period_s / timestep_s))):
                if self._torque_nm is None:
                    self._servo(timestep_s)
                self._simulation.advance(1)

    def reading(self) -> RobotState:
        """The arm as its encoders and its force sensor see it; the stamp is in the stand's own time."""
        with self._lock:
            return self._simulation.state()

    def electrical(self) -> bool:
        """The connection is detected (what a USB host or a continuity tester would tell)."""
        with self._lock:
            return self._simulation.electrical()

    def prepare_episode(self, seed: int, *, goal_error_scale: float = 1.0) -> EpisodeDraw:
        """Puts the stand, not the arm, into the state of episode ``seed``."""
        with self._lock:
            return self._simulation.prepare_episode(seed, goal_error_scale=goal_error_scale)

    def push(self, force_n: Vector, duration_s: float) -> None:
        """An accident: a force (3,) in axes of the base on the tool."""
        with self._lock:
            self._simulation.push(force_n, duration_s)

    @property
    def seated_in_base(self) -> Pose:
        """Where the TCP is with the plug home: what a person finds by hand."""
        return self._simulation.goal_in_base

    def guide(self, tcp_in_base: Pose | None) -> None:
        """A person's hand takes the tool there, against whatever the joints do; None: it lets go."""
        with self._lock:
            self._simulation.guide(tcp_in_base)
            self._is_guided = tcp_in_base is not None

    @property
    def is_guided(self) -> bool:
        """A person's hand has the tool."""
        return self._is_guided

    def eye(self) -> Eye:
        """A camera's view of the stand, for the thread that asks."""
        return Eye(self._simulation.model, self)

    def copy_into(self, data: mujoco.MjData) -> None:
        """The stand as it is now, for an ``Eye``."""
        with self._lock:
            mujoco.mj_copyData(data, self._simulation.model, self._simulation.data)

    def _servo(self, ahead_s: float) -> None:
        """Moves the set point on and hands it to the servo, which damps speed against the set point's."""
        self._target_rad = self._target_rad + ahead_s * self._velocity_rad_s
        self._simulation.set_joint_reference(self._target_rad + self._lead_s * self._velocity_rad_s)

    def _settle_target(self) -> None:
        if self._torque_nm is not None:
            self._torque_nm = None
            self._target_rad = self._simulation.state().joint_position_rad

    def _stiffen(self, servo: JointServoConfig) -> float:
        """Gives every joint's actuator the servo's frequency; returns damping over stiffness, in seconds."""
        model, data = self._simulation.model, self._simulation.data
        inertia = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, inertia)
        stiffness = servo.frequency_rad_s**2 * inertia.diagonal()[: self.size]
        lead_s = 2.0 * servo.damping_ratio / servo.frequency_rad_s
        joints = slice(CARTESIAN_AXES, CARTESIAN_AXES + self.size)
        model.actuator_gainprm[joints, 0] = stiffness
        model.actuator_biasprm[joints, 1] = -stiffness
        model.actuator_biasprm[joints, 2] = -lead_s * stiffness
        return lead_s


class Eye:
    """Draws the stand from a copy, so that a picture never holds up the physics. Use it from one thread only."""

    def __init__(self, model: mujoco.MjModel, plant: Plant) -> None:
        self._plant = plant
        self._data = mujoco.MjData(model)
        self._cameras = Cameras(model)

    def frame(self, camera: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of camera "wrist" or "overview". Raises RenderingError."""
        self._plant.copy_into(self._data)
        return self._cameras.render(self._data, camera, width_px, height_px)

    def close(self) -> None:
        """Frees the graphics context."""
        self._cameras.close()
