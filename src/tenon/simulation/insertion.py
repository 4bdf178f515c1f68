"""The insertion stand in MuJoCo: an arm under Cartesian impedance, a plug, a socket that holds on to it.

The inner loop runs at the physics timestep (500 Hz or more). Impedance is computed inside ``mj_step``; between the
steps only the reference is ramped, the retention is switched and the force is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError
from tenon.control.geometry import interpolate, pose
from tenon.control.kinematics import Kinematics
from tenon.control.types import Pose, RobotState, Vector
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.fits import check_fits
from tenon.simulation.hand import GuidingHand
from tenon.simulation.profiles import bounds_of
from tenon.simulation.rendering import Cameras
from tenon.simulation.saved_state import restore_state, saved_state
from tenon.simulation.scene import (
    CARTESIAN_GROUP,
    JOINT_GROUP,
    PLUG_BODY,
    PLUG_IN_FLANGE_M,
    SOCKET_BODY,
    TCP_SITE,
    scene_mjcf,
)
from tenon.simulation.tasks import EpisodeDraw, InsertionTaskConfig, draw_episode, seated_pose

NANOSECONDS: Final = 1_000_000_000
CARTESIAN_AXES: Final = 6


class SimulationError(RuntimeError):
    """The simulation cannot do what was asked, or has become unusable. The message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulationSnapshot:
    """All that the future of a simulation depends on. Good only for the simulation that made it."""

    physics: Vector
    draw: EpisodeDraw
    reference: Pose
    joint_reference_rad: Vector | None
    filtered_wrench: Vector
    sensor_bias: Vector
    peak_force_n: float
    time_ns: int
    pushed_until_ns: int
    generator: dict[str, object]


class InsertionSimulation:
    """One arm, one connector, one task. Not thread-safe.

    After construction the arm stands at the task's start pose and holds it. Raises ConfigurationError for a connector
    that cannot be practised in the task.
    """

    def __init__(self, arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig, *, seed: int = 0) -> None:
        check_fits(connector, task)
        self.arm, self.connector, self.task = arm, connector, task
        self.model = _compiled(arm, connector, task)
        self.data = mujoco.MjData(self.model)
        self.kinematics = Kinematics(arm, tcp_in_flange(connector))
        self._size = len(arm.joints)
        self._site = self.model.site(TCP_SITE).id
        self._socket = self.model.body(SOCKET_BODY).id
        self._plug = self.model.body(PLUG_BODY).id
        self._nominal_mouth = np.array(task.scene.socket_mouth_in_base_m)
        self._timestep_s = task.scene.physics.timestep_s
        self._timestep_ns = round(self._timestep_s * NANOSECONDS)
        self._retention_depth_m = connector.retention.begins_at * connector.depth_m
        self._smoothing = 1.0 - math.exp(-self._timestep_s / task.force_sensor.filter_time_constant_s)
        hole = bounds_of(*connector.opening.outlines())
        self._hole_half_m = (hole.right - hole.left) / 2, (hole.upper - hole.lower) / 2
        self._jacobian = np.zeros((6, self.model.nv))
        self._sensor = self.data.sensordata
        self._warnings = self.data.warning.number
        self._quaternion_wxyz = np.zeros(4)
        self._tcp = self.data.site_xpos[self._site]
        self._push = self.data.xfrc_applied[self._plug, :3]
        self._cameras = Cameras(self.model)
        self._hand = GuidingHand(self.model, self.data, PLUG_BODY, TCP_SITE)
        self._time_ns = 0
        self._joint_reference: Vector | None = None
        self.reset(seed)

    @property
    def time_ns(self) -> int:
        """Simulated time since construction. Resets do not turn it back."""
        return self._time_ns

    @property
    def draw(self) -> EpisodeDraw:
        """What was drawn for the present episode. Simulation's secret: a controller must not look."""
        return self._draw

    @property
    def goal_in_base(self) -> Pose:
        """The true seated pose of the TCP."""
        taught = seated_pose(self.task, self.connector)
        return Pose(taught.position_m + self._draw.socket_shift_m, taught.quaternion_xyzw)

    @property
    def estimated_goal_in_base(self) -> Pose:
        """Where the task is programmed to find the seated pose: off by the episode's goal error."""
        goal = self.goal_in_base
        return Pose(goal.position_m + self._draw.goal_error_m, goal.quaternion_xyzw)

    @property
    def start_in_base(self) -> Pose:
        """Where an episode starts: above the estimated goal."""
        goal = self.estimated_goal_in_base
        return Pose(goal.position_m + np.array((0.0, 0.0, self.task.start_height_m)), goal.quaternion_xyzw)

    @property
    def depth_m(self) -> float:
        """How deep the tip is below the socket's mouth; negative above it."""
        return float(self._nominal_mouth[2] - self._tcp[2])

    @property
    def peak_force_n(self) -> float:
        """Largest force on the tool since the episode's start, filtered as the sensor does, at the inner rate."""
        return self._peak_force_n

    @property
    def lateral_m(self) -> Vector:
        """Where the tip is beside the socket's axis, (2,) along the base's x and y."""
        beside: Vector = self._tcp[:2] - self._nominal_mouth[:2] - self._draw.socket_shift_m[:2]
        return beside

    def electrical(self) -> bool:
        """The connection is made: the tip is over the hole and within the task's tolerance of full depth."""
        x, y = np.abs(self.lateral_m)
        over = x < self._hole_half_m[0] and y < self._hole_half_m[1]
        return bool(over and self.depth_m >= self.connector.depth_m - self.task.success_tolerance_m)

    def prepare_episode(self, seed: int, *, goal_error_scale: float = 1.0) -> EpisodeDraw:
        """Draws retention, socket shift and goal error of episode ``seed`` and clears the peak force. The arm stays."""
        self._draw = draw_episode(self.task, self.connector, seed, goal_error_scale=goal_error_scale)
        self._generator = np.random.default_rng((seed, 1))
        sensor = self.task.force_sensor
        limits = np.repeat((sensor.force_bias_n, sensor.torque_bias_nm), 3)
        self._sensor_bias = limits * self._generator.uniform(-1, 1, 6)
        self.model.body_pos[self._socket] = self._nominal_mouth + self._draw.socket_shift_m
        self._peak_force_n = 0.0
        return self._draw

    def reset(self, seed: int, *, goal_error_scale: float = 1.0, seated: bool = False) -> EpisodeDraw:
        """Prepares episode ``seed`` and puts the arm, at rest, to its start pose at once (no motion in between).

        seated: the plug starts in the socket instead, as when a person has just taught the seated pose.
        Raises SimulationError where the arm cannot reach the start pose.
        """
        draw = self.prepare_episode(seed, goal_error_scale=goal_error_scale)
        start = self._seated_start() if seated else self.start_in_base
        self.place(start)
        return draw

    def place(self, tcp_in_base: Pose) -> None:
        """Puts the arm, at rest, there at once. Raises SimulationError where it cannot reach that."""
        solution = self.kinematics.inverse(tcp_in_base, np.array(self.arm.home_rad))
        if not solution.converged:
            raise SimulationError(
                f"{self.arm.name} cannot reach the start pose {np.round(tcp_in_base.position_m, 4).tolist()} m: "
                f"{solution.position_error_m * 1e3:.2f} mm and {solution.rotation_error_rad:.4f} rad remain. "
                "Move scene.socket_mouth_in_base_m into the arm's reach"
            )
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[: self._size] = solution.joint_position_rad
        self._filtered_wrench = np.zeros(6)
        self._pushed_until_ns = 0
        self._use_cartesian(tcp_in_base)
        mujoco.mj_forward(self.model, self.data)

    def _seated_start(self) -> Pose:
        """Just off the bottom, so that the force sensor is tared without contact."""
        goal = self.goal_in_base
        return Pose(goal.position_m + np.array((0.0, 0.0, self.task.success_tolerance_m / 2)), goal.quaternion_xyzw)

    def hold(self) -> None:
        """Makes the present pose the reference: the arm stops and stays, compliant as before."""
        self._use_cartesian(self.tcp_in_base())

    def set_reference(self, reference_in_base: Pose) -> None:
        """The Cartesian set point from the next physics step on (TCP in the base). It jumps: ramps are the caller's."""
        self._use_cartesian(reference_in_base)

    def set_joint_reference(self, reference_rad: Vector) -> None:
        """The joint set point (n,) from the next physics step on, under joint impedance. Raises ValueError."""
        reference = np.array(reference_rad, dtype=np.float64)
        if reference.shape != (self._size,):
            raise ValueError(f"{self.arm.name} has {self._size} joints, the reference has shape {reference.shape}")
        self._joint_reference = reference
        self._select_group(JOINT_GROUP)
        self.data.ctrl[CARTESIAN_AXES:] = reference

    def set_joint_torque(self, torque_nm: Vector) -> None:
        """The joint torques (n,) from the next physics step on, beside what carries the arm's weight; no spring holds
        it then. They end with the next set point of another kind. Raises ValueError."""
        torque = np.array(torque_nm, dtype=np.float64)
        if torque.shape != (self._size,):
            raise ValueError(f"{self.arm.name} has {self._size} joints, the torque has shape {torque.shape}")
        self.model.opt.disableactuator = 1 << CARTESIAN_GROUP | 1 << JOINT_GROUP
        self.data.qfrc_applied[: self._size] = torque

    def push(self, force_n: Vector, duration_s: float) -> None:
        """Pushes the plug from the next physics step on; force_n (3,) in axes of the base. It replaces any old push."""
        self._push[:] = force_n
        self._pushed_until_ns = self._time_ns + round(duration_s * NANOSECONDS)

    def guide(self, tcp_in_base: Pose | None) -> None:
        """A hand takes the tool there, from the next physics step on; None: it lets go. The arm must give way: a torque
        of zeros (``set_joint_torque``) is what a robot's own free drive is.
        """
        self._hand.guide(tcp_in_base)

    def advance(self, substeps: int) -> None:
        """Physics steps under the present set point. Raises SimulationError if the physics has become unstable."""
        for _ in range(substeps):
            self._advance()
        self._settle()

    def step(self, reference_in_base: Pose, substeps: int) -> None:
        """Physics steps while the set point ramps to the reference (TCP in the base) in the task's reference_ramp_s.

        Raises SimulationError if the physics has become unstable.
        """
        start = self._reference if self._joint_reference is None else self.tcp_in_base()
        self._use_cartesian(start)
        ramp_steps = max(1, round(self.task.reference_ramp_s / self._timestep_s))
        turning = not np.array_equal(start.quaternion_xyzw, reference_in_base.quaternion_xyzw)
        offset = reference_in_base.position_m - start.position_m
        for index in range(substeps):
            fraction = min(1.0, (index + 1) / ramp_steps)
            if turning:
                self._place_reference(interpolate(start, reference_in_base, fraction))
            else:  # the common case, at a fraction of the cost
                self.data.mocap_pos[0] = start.position_m + fraction * offset
            self._advance()
        reached = min(1.0, substeps / ramp_steps)
        self._place_reference(interpolate(start, reference_in_base, reached))
        self._settle()

    def tcp_in_base(self) -> Pose:
        """The true pose of the TCP."""
        mujoco.mju_mat2Quat(self._quaternion_wxyz, self.data.site_xmat[self._site])
        w, x, y, z = self._quaternion_wxyz
        return Pose(self._tcp.copy(), np.array((x, y, z, w)))

    def state(self) -> RobotState:
        """One reading of the arm: joints and TCP as they are, the wrench through the sensor (filter, bias, noise)."""
        sensor, size = self.task.force_sensor, self._size
        noise = np.repeat((sensor.force_noise_n, sensor.torque_noise_nm), 3) * self._generator.standard_normal(6)
        mujoco.mj_jacSite(self.model, self.data, self._jacobian[:3], self._jacobian[3:], self._site)
        return RobotState(
            stamp_ns=self._time_ns,
            joint_position_rad=self.data.qpos[:size].copy(),
            joint_velocity_rad_s=self.data.qvel[:size].copy(),
            joint_effort_nm=self.data.qfrc_actuator[:size].copy(),
            tcp_in_base=self.tcp_in_base(),
            tcp_velocity_in_base=self._jacobian @ self.data.qvel,
            wrench_in_base=self._filtered_wrench + self._sensor_bias + noise,
        )

    def render(self, camera: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """A frame of "wrist" or "overview", (height, width, 3) RGB. Raises RenderingError."""
        return self._cameras.render(self.data, camera, width_px, height_px)

    def snapshot(self) -> SimulationSnapshot:
        """The state to come back to with ``restore``."""
        return SimulationSnapshot(
            physics=saved_state(self.model, self.data),
            draw=self._draw,
            reference=self._reference,
            joint_reference_rad=None if self._joint_reference is None else self._joint_reference.copy(),
            filtered_wrench=self._filtered_wrench.copy(),
            sensor_bias=self._sensor_bias.copy(),
            peak_force_n=self._peak_force_n,
            time_ns=self._time_ns,
            pushed_until_ns=self._pushed_until_ns,
            generator=dict(self._generator.bit_generator.state),
        )

    def restore(self, snapshot: SimulationSnapshot) -> None:
        """Continues from ``snapshot``: the same commands give the same, bit-identical motion."""
        self.prepare_episode(snapshot.draw.seed)
        self._draw = snapshot.draw
        self._generator.bit_generator.state = dict(snapshot.generator)
        self._sensor_bias = snapshot.sensor_bias.copy()
        self._filtered_wrench = snapshot.filtered_wrench.copy()
        self._peak_force_n, self._time_ns = snapshot.peak_force_n, snapshot.time_ns
        self._pushed_until_ns = snapshot.pushed_until_ns
        self._use_cartesian(snapshot.reference)
        if snapshot.joint_reference_rad is not None:
            self.set_joint_reference(snapshot.joint_reference_rad)
        restore_state(self.model, self.data, snapshot.physics)

    def close(self) -> None:
        """Frees the graphics context. The physics stays usable."""
        self._cameras.close()

    def _advance(self) -> None:
        engaged = self.depth_m > self._retention_depth_m
        self.model.tendon_frictionloss[0] = self._draw.retention_n if engaged else 0.0
        pushed = self._time_ns < self._pushed_until_ns
        if self._hand.holds:
            self._hand.apply(self._timestep_s)
        elif not pushed:
            self._push[:] = 0.0
        mujoco.mj_step(self.model, self.data)
        self._time_ns += self._timestep_ns
        self._measure(engaged=engaged and self._draw.retention_n > 0, pushed=pushed)

    def _measure(self, *, engaged: bool, pushed: bool) -> None:
        """Low-passes the wrench on the tool: contacts (the sensor gives them on the other body), retention, push."""
        wrench = self._filtered_wrench
        wrench *= 1.0 - self._smoothing
        if self.data.ncon:
            force = -self._smoothing * self._sensor[:3]
            wrench[:3] += force
            wrench[3:] -= self._smoothing * self._sensor[3:6]
            wrench[3:] += _cross(self._sensor[6:9] - self._tcp, force)
        if engaged:  # the only friction loss of the model, so its row follows those of the equalities
            wrench[2] += self._smoothing * self.data.efc_force[self.data.ne]
        if pushed:
            force = self._smoothing * self._push
            wrench[:3] += force
            wrench[3:] += _cross(self.data.xipos[self._plug] - self._tcp, force)
        force_n = math.sqrt(float(wrench[:3] @ wrench[:3]))
        self._peak_force_n = max(self._peak_force_n, force_n)

    def _use_cartesian(self, reference: Pose) -> None:
        self._joint_reference = None
        self._select_group(CARTESIAN_GROUP)
        self._place_reference(reference)

    def _place_reference(self, reference: Pose) -> None:
        x, y, z, w = reference.quaternion_xyzw
        self._reference = reference
        self.data.mocap_pos[0] = reference.position_m
        self.data.mocap_quat[0] = (w, x, y, z)

    def _select_group(self, group: int) -> None:
        self.data.qfrc_applied[: self._size] = 0.0
        disabled = {CARTESIAN_GROUP, JOINT_GROUP} - {group}
        self.model.opt.disableactuator = sum(1 << other for other in disabled)

    def _settle(self) -> None:
        """Brings the poses, which mj_step leaves one step behind, up to the joints; refuses unstable physics."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        if self._warnings.any() or not np.isfinite(self.data.qpos).all():
            raise SimulationError(
                f"the physics became unstable at {self._time_ns / NANOSECONDS:.3f} s: reset it, and see whether the "
                "reference jumped or the impedance is too stiff for the timestep"
            )


def _compiled(arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig) -> mujoco.MjModel:
    written = scene_mjcf(arm, connector, task.scene)
    try:
        return mujoco.MjModel.from_xml_string(written)
    except ValueError as error:
        raise ConfigurationError(
            f"connector {connector.name!r} makes no scene that MuJoCo takes: {error}. Look for a measure that is far "
            "from the others"
        ) from error


def tcp_in_flange(connector: ConnectorConfig) -> Pose:
    """The middle of the plug's tip, z pointing into the socket, in the flange's frame."""
    return pose((0.0, 0.0, PLUG_IN_FLANGE_M + connector.grasp_m + connector.depth_m))


def _cross(a: Vector, b: Vector) -> Vector:
    """np.cross takes 20 times as long for two vectors of three."""
    return np.array((a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]))
