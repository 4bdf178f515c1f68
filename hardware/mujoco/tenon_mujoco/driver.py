"""The simulated arm behind the interface of the real ones: configure, activate, read, write, deactivate.

Time stands still until ``step`` is called, so whoever drives the arm decides how fast it runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.drivers import DriverError, DriverState, expect
from tenon.control.types import ControlMode, Pose, Reference, RobotState, Vector
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.tasks import EpisodeDraw, InsertionTaskConfig
from tenon_mujoco.config import MujocoDriverConfig

NS_PER_S = 1_000_000_000


class MujocoDriver:
    """An arm with a plug over a socket, in MuJoCo. Not thread-safe."""

    def __init__(self, config: MujocoDriverConfig) -> None:
        """Reads and validates the configuration. Raises ConfigurationError. There is no arm yet."""
        self.config = config
        self.arm = load_named(ArmConfig, ConfigKind.ARMS, config.arm)
        self.task = load_named(InsertionTaskConfig, ConfigKind.TASKS, config.task)
        self.connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, config.connector or self.task.connector)
        self._state = DriverState.UNCONFIGURED
        self._simulation: InsertionSimulation | None = None
        self._reference: Reference | None = None
        self._freedrive = False

    @property
    def state(self) -> DriverState:
        return self._state

    @property
    def simulation(self) -> InsertionSimulation:
        """The simulation itself, for tests and videos. A controller has no business here."""
        if self._simulation is None:
            raise DriverError("the simulated arm is unconfigured: call configure() first")
        return self._simulation

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.arm.joint_names

    @property
    def time_ns(self) -> int:
        """Simulated time: the stamp of what ``read`` returns now."""
        return self.simulation.time_ns

    def configure(self) -> None:
        """Builds the scene. Afterwards the arm is INACTIVE: at its start pose above the socket, holding, deaf to write.

        Raises SimulationError where the arm cannot reach the start pose.
        """
        expect("simulated arm", self._state, DriverState.UNCONFIGURED, "configure()")
        self._simulation = InsertionSimulation(self.arm, self.connector, self.task, seed=self.config.seed)
        self._state = DriverState.INACTIVE

    def activate(self) -> None:
        """Afterwards the arm is ACTIVE: it holds where it is until the first ``write``, then it can move."""
        expect("simulated arm", self._state, DriverState.INACTIVE, "activate()")
        self.hold()
        self._state = DriverState.ACTIVE

    def deactivate(self) -> None:
        """Afterwards the arm is INACTIVE: it holds the pose it has now and cannot be moved by ``write``."""
        expect("simulated arm", self._state, DriverState.ACTIVE, "deactivate()")
        self.hold()
        self._state = DriverState.INACTIVE

    def close(self) -> None:
        """Takes the scene down. Afterwards the arm is UNCONFIGURED."""
        if self._simulation is not None:
            self._simulation.close()
        self._simulation, self._reference, self._freedrive = None, None, False
        self._state = DriverState.UNCONFIGURED

    def read(self) -> RobotState:
        """The arm as its sensors see it now. INACTIVE or ACTIVE; the arm does not move."""
        return self.simulation.state()

    def write(self, reference: Reference) -> None:
        """Takes a set point, which the following ``step`` goes to at once: ramps are the caller's. ACTIVE only.

        From ``stamp_ns + valid_for_ns`` on the arm holds by itself, as it does for mode HOLD. Raises DriverError for an
        arm that is not active and for a reference that is incomplete or not finite; the arm then keeps its set point.
        """
        if self._state is not DriverState.ACTIVE:
            raise DriverError(f"the simulated arm is {self._state.value}: call activate() before write()")
        if self._freedrive:
            return
        if reference.mode is ControlMode.HOLD:
            self.hold()
            return
        if reference.mode is ControlMode.JOINT:
            joints = reference.joint_position_rad
            if joints is None or joints.shape != (len(self.arm.joints),) or not np.isfinite(joints).all():
                raise DriverError(f"a JOINT reference needs {len(self.arm.joints)} finite joint angles, got {joints}")
            self.simulation.set_joint_reference(joints)
        else:
            tcp = reference.tcp_in_base
            if tcp is None or not (np.isfinite(tcp.position_m).all() and np.isfinite(tcp.quaternion_xyzw).all()):
                raise DriverError(f"a CARTESIAN reference needs a finite pose of the TCP, got {tcp}")
            self.simulation.set_reference(tcp)
        self._reference = reference

    def hold(self) -> None:
        """Stops the arm: the pose it has now becomes its set point. It stays compliant, and ACTIVE if it was, and gives
        way to no hand any more."""
        self.simulation.hold()
        self._reference, self._freedrive = None, False

    def set_freedrive(self, *, on: bool) -> None:
        """The arm gives way to a hand and is deaf to ``write``; off: it holds where it is then. ACTIVE only."""
        if self._state is not DriverState.ACTIVE:
            raise DriverError(f"the simulated arm is {self._state.value}: call activate() before set_freedrive()")
        self._freedrive = on
        if on:
            self._reference = None
            self.simulation.set_joint_torque(np.zeros(len(self.arm.joints)))
        else:
            self.hold()

    def guide(self, tcp_in_base: Pose | None) -> None:
        """A simulated hand takes the tool there; None: it lets go. Raises DriverError while the arm gives no way."""
        if tcp_in_base is not None and not self._freedrive:
            raise DriverError("the arm does not give way to a hand: call arm/freedrive first")
        self.simulation.guide(tcp_in_base)

    def step(self, period_s: float) -> None:
        """Lets simulated time pass: the next whole number of physics steps, one at least.

        The arm moves where it is ACTIVE and was written to. Raises SimulationError if the physics has become unstable.
        """
        timestep_s = self.task.scene.physics.timestep_s
        self._hold_if_stale()
        self.simulation.advance(max(1, round(period_s / timestep_s)))

    def electrical(self) -> bool:
        """The connection is detected (what a USB host or a continuity tester would tell)."""
        return self.simulation.electrical()

    def frame(self, camera: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of camera "wrist" or "overview". Raises RenderingError."""
        return self.simulation.render(camera, width_px, height_px)

    def push(self, force_n: Vector, duration_s: float) -> None:
        """A simulated accident: a force (3,) in axes of the base on the tool, for duration_s of simulated time.

        Raises DriverError for values that are not finite.
        """
        if not (np.isfinite(force_n).all() and np.isfinite(duration_s)):
            raise DriverError(f"a push needs a finite force and duration, got {force_n} N for {duration_s} s")
        self.simulation.push(force_n, duration_s)

    def prepare_episode(self, seed: int, *, goal_error_scale: float = 1.0) -> EpisodeDraw:
        """Puts the stand, not the arm, into the state of episode ``seed``: retention, socket shift, peak force 0."""
        return self.simulation.prepare_episode(seed, goal_error_scale=goal_error_scale)

    def _hold_if_stale(self) -> None:
        reference = self._reference
        if reference is not None and self.time_ns >= reference.stamp_ns + reference.valid_for_ns:
            self.hold()
