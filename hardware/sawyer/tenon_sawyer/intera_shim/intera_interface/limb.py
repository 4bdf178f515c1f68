"""The arm: joint and endpoint states, the four command modes, moves, inverse and forward kinematics of the robot."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message, service
from tenon_sawyer.ros1.messages import Message
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.service import ServiceError
from tenon_sawyer.ros1.time import Time

from . import settings
from .robot_params import RobotParams

LOG = logging.getLogger("intera_interface")
STATE_TIMEOUT_S = 5.0
MOVE_RATE_HZ = 100
COMMAND_BUFFER_BYTES = 4096
"""A few commands: an arm whose cable comes back shall not find older ones."""


class Limb:
    """One arm of the robot. All dictionaries are by joint name."""

    Point = collections.namedtuple("Point", ["x", "y", "z"])
    Quaternion = collections.namedtuple("Quaternion", ["x", "y", "z", "w"])

    def __init__(self, limb: str = "right", synchronous_pub: bool = False, *, node: Node | None = None) -> None:
        """synchronous_pub: kept for scripts; commands leave at once in either case.

        Raises OSError where the states of joints, endpoint or tips do not come within five seconds, ValueError for a
        limb that the robot does not have.
        """
        self._node = node or process.node()
        params = RobotParams(node=self._node)
        limbs = params.get_limb_names()
        if limb not in limbs:
            raise ValueError(f"the robot has no limb {limb!r}; it has: {', '.join(limbs) or 'none'}")
        self.name = limb
        self._joint_names: list[str] = params.get_joint_names(limb)
        self._known_joints = frozenset(self._joint_names)
        self._joint_angle: dict[str, float] = {}
        self._joint_velocity: dict[str, float] = {}
        self._joint_effort: dict[str, float] = {}
        self._endpoint: Any = None
        self._tips: dict[str, Any] | None = None
        self._collides = False
        self._move: object | None = None
        self._sending = threading.Lock()
        if node is None:  # a script's own
            process.on_shutdown(self._stay)
        self._advertise(f"/robot/limb/{limb}")
        self._subscribe(f"/robot/limb/{limb}")
        self._wait_for_states()

    def joint_names(self) -> list[str]:
        """From the shoulder to the wrist."""
        return list(self._joint_names)

    def joint_angle(self, joint: str) -> float:
        return self._joint_angle[joint]

    def joint_angles(self) -> dict[str, float]:
        return dict(self._joint_angle)

    def joint_ordered_angles(self) -> list[float]:
        """In the order of ``joint_names``."""
        return [self._joint_angle[name] for name in self._joint_names]

    def joint_velocity(self, joint: str) -> float:
        return self._joint_velocity[joint]

    def joint_velocities(self) -> dict[str, float]:
        return dict(self._joint_velocity)

    def joint_effort(self, joint: str) -> float:
        return self._joint_effort[joint]

    def joint_efforts(self) -> dict[str, float]:
        return dict(self._joint_effort)

    def endpoint_pose(self) -> dict[str, Any]:
        """{'position': Point, 'orientation': Quaternion} of the endpoint in the base."""
        return self._pose(self._endpoint)

    def endpoint_velocity(self) -> dict[str, Any]:
        """{'linear': Point, 'angular': Point}"""
        twist = self._endpoint.twist
        return {"linear": self._point(twist.linear), "angular": self._point(twist.angular)}

    def endpoint_effort(self) -> dict[str, Any]:
        """{'force': Point, 'torque': Point}, the robot's own estimate."""
        wrench = self._endpoint.wrench
        return {"force": self._point(wrench.force), "torque": self._point(wrench.torque)}

    def tip_states(self) -> dict[str, Any]:
        """EndpointState of every tip of the arm."""
        return dict(self._tips or {})

    def tip_state(self, tip_name: str) -> Any:
        """EndpointState of one tip; None where the robot has no such tip."""
        return (self._tips or {}).get(tip_name)

    def has_collided(self) -> bool:
        """Whether the robot's own collision detection is triggered now."""
        return self._collides

    def set_command_timeout(self, timeout: float) -> None:
        """After this many seconds without a command of velocity or torque the arm holds its position by itself."""
        self._timeout_publisher.publish(message("std_msgs/Float64")(data=timeout))

    def exit_control_mode(self, timeout: float = 0.2) -> None:
        """Back to position mode, where the arm is now."""
        self.set_command_timeout(timeout)
        self.set_joint_positions(self.joint_angles())

    def set_joint_position_speed(self, speed: float = 0.3) -> None:
        """Share of the joints' largest speed in position mode, 0 to 1; it stays until it is set anew."""
        self._speed_publisher.publish(message("std_msgs/Float64")(data=min(max(speed, 0.0), 1.0)))

    def set_joint_positions(self, positions: Mapping[str, float]) -> None:
        """Position mode: the arm goes there at the speed ratio. rad"""
        self._command(self._kind.POSITION_MODE, positions.keys(), position=positions.values())

    def set_joint_velocities(self, velocities: Mapping[str, float]) -> None:
        """Velocity mode, until the command timeout. rad/s"""
        self._command(self._kind.VELOCITY_MODE, velocities.keys(), velocity=velocities.values())

    def set_joint_torques(self, torques: Mapping[str, float]) -> None:
        """Torque mode on top of gravity compensation, until the command timeout. Nm"""
        self._command(self._kind.TORQUE_MODE, torques.keys(), effort=torques.values())

    def set_joint_trajectory(
        self,
        names: Sequence[str],
        positions: Sequence[float],
        velocities: Sequence[float],
        accelerations: Sequence[float],
    ) -> None:
        """Trajectory mode: one point of a trajectory that the caller interpolates. rad, rad/s, rad/s^2"""
        self._command(
            self._kind.TRAJECTORY_MODE, names, position=positions, velocity=velocities, acceleration=accelerations
        )

    def move_to_neutral(self, timeout: float = 15.0, speed: float = 0.3) -> None:
        """Blocks until the arm is in the posture that the robot's parameters call neutral, or the timeout."""
        key = f"/named_poses/{self.name}/poses/neutral"
        try:
            neutral = self._node.parameter(key)
        except KeyError:
            LOG.error("the robot has no parameter %s: the arm stays where it is", key)
            return
        self.set_joint_position_speed(speed)
        self.move_to_joint_positions(dict(zip(self._joint_names, neutral, strict=True)), timeout)

    def move_to_joint_positions(
        self,
        positions: Mapping[str, float],
        timeout: float = 15.0,
        threshold: float = settings.JOINT_ANGLE_TOLERANCE,
        test: Callable[[], bool] | None = None,
    ) -> None:
        """Blocks until every joint is within ``threshold`` rad of its target, ``test`` says stop, or the timeout.

        The targets themselves are sent, as by the SDK. A script that ends on the way leaves the arm where it is then.
        """
        move = self._move = object()

        def send() -> None:
            with self._sending:
                if self._move is move:
                    self.set_joint_positions(positions)

        def arrived() -> bool:
            if self.has_collided():
                LOG.error("the robot reports a collision: the move ends here")
                return True
            if callable(test) and test() is True:
                return True
            known = self._joint_angle
            return all(abs(target - known[name]) < threshold for name, target in positions.items() if name in known)

        send()
        reached = intera_dataflow.wait_for(arrived, timeout=timeout, raise_on_error=False, rate=MOVE_RATE_HZ, body=send)
        if reached:
            self._move = None
        else:
            LOG.error("the %s arm has not reached the commanded joint positions within %g s", self.name, timeout)

    def fk_request(self, joint_angles: Mapping[str, float], end_point: str = "right_hand") -> Any:
        """The robot's forward kinematics: SolvePositionFKResponse; False where the service fails."""
        kind = service("intera_core_msgs/SolvePositionFK")
        joints = self._joint_state(joint_angles)
        return self._ask("FK", kind, kind._request_class(configuration=[joints], tip_names=[end_point]))

    def joint_angles_to_cartesian_pose(self, joint_angles: Mapping[str, float], end_point: str = "right_hand") -> Any:
        """geometry_msgs/Pose of the end point in the base; None where the robot has no solution."""
        response = self._solved_fk(joint_angles, end_point)
        return None if response is None else response.pose_stamp[0].pose

    def fk_request_in_collision(self, joint_angles: Mapping[str, float], end_point: str = "right_hand") -> bool:
        """Whether the arm would collide with these joints; True also where the robot cannot tell."""
        response = self._solved_fk(joint_angles, end_point)
        return True if response is None else bool(response.inCollision[0])

    def _solved_fk(self, joint_angles: Mapping[str, float], end_point: str) -> Any:
        """What ``fk_request`` gives; None, and a line in the log, where that is no solution."""
        response = self.fk_request(joint_angles, end_point)
        if response is False or not response.isValid or not response.isValid[0]:
            LOG.error("no forward kinematics for these joints at %s", end_point)
            return None
        return response

    def ik_request(
        self,
        pose: Any,
        end_point: str = "right_hand",
        joint_seed: Mapping[str, float] | None = None,
        nullspace_goal: Mapping[str, float] | None = None,
        nullspace_gain: float = 0.4,
        allow_collision: bool = False,
    ) -> dict[str, float] | bool:
        """The robot's inverse kinematics: joint angles for a Pose or PoseStamped in the base; False for no solution."""
        kind = service("intera_core_msgs/SolvePositionIK")
        request: Any = kind._request_class(pose_stamp=[self._stamped(pose)], tip_names=[end_point])
        if joint_seed is not None:
            request.seed_mode = request.SEED_USER
            request.seed_angles = [self._joint_state(joint_seed)]
        request.use_nullspace_goal = [nullspace_goal is not None]
        if nullspace_goal is not None:
            request.nullspace_goal = [self._joint_state(nullspace_goal)]
            request.nullspace_gain = [nullspace_gain]
        response = self._ask("IK", kind, request)
        if response is False or not response.result_type:
            return False
        result = response.result_type[0]
        if result > 0 or (allow_collision and result == response.IK_IN_COLLISION):
            return dict(zip(response.joints[0].name, response.joints[0].position, strict=True))
        LOG.error("no joint angles for this pose of %s", end_point)
        return False

    def _advertise(self, root: str) -> None:
        double = message("std_msgs/Float64")
        self._kind: Any = message("intera_core_msgs/JointCommand")
        self._speed_publisher = self._node.advertise(f"{root}/set_speed_ratio", double, latch=True)
        self._timeout_publisher = self._node.advertise(f"{root}/joint_command_timeout", double, latch=True)
        self._command_publisher = self._node.advertise(
            f"{root}/joint_command", self._kind, buffer_bytes=COMMAND_BUFFER_BYTES
        )

    def _subscribe(self, root: str) -> None:
        core = "intera_core_msgs"
        subscribe = self._node.subscribe
        subscribe("/robot/joint_states", message("sensor_msgs/JointState"), self._on_joint_states)
        subscribe(f"{root}/endpoint_state", message(f"{core}/EndpointState"), self._on_endpoint)
        subscribe(f"{root}/tip_states", message(f"{core}/EndpointStates"), self._on_tips)
        subscribe(f"{root}/collision_detection_state", message(f"{core}/CollisionDetectionState"), self._on_collision)

    def _stay(self) -> None:
        """Runs beside the script: the hold is the last word, not a target that was just being sent."""
        with self._sending:
            if self._move is not None:
                self._move = None
                self.exit_control_mode()

    def _wait_for_states(self) -> None:
        for is_there, topic in (
            (lambda: len(self._joint_angle) == len(self._joint_names), "/robot/joint_states"),
            (lambda: self._endpoint is not None, f"/robot/limb/{self.name}/endpoint_state"),
            (lambda: self._tips is not None, f"/robot/limb/{self.name}/tip_states"),
        ):
            intera_dataflow.wait_for(
                is_there, timeout=STATE_TIMEOUT_S, timeout_msg=f"nothing comes on {topic}: is the robot running?"
            )

    def _on_joint_states(self, msg: Any) -> None:
        """The head has a joint too, and may have a message of its own."""
        rows = [row for row in zip(msg.name, msg.position, msg.velocity, msg.effort) if row[0] in self._known_joints]  # noqa: B905
        if not rows:
            return
        names, angles, velocities, efforts = zip(*rows, strict=True)
        self._joint_angle |= dict(zip(names, angles, strict=True))
        self._joint_velocity |= dict(zip(names, velocities, strict=True))
        self._joint_effort |= dict(zip(names, efforts, strict=True))

    def _on_endpoint(self, msg: Any) -> None:
        self._endpoint = msg

    def _on_tips(self, msg: Any) -> None:
        self._tips = dict(zip(msg.names, msg.states, strict=True))

    def _on_collision(self, msg: Any) -> None:
        self._collides = msg.collision_state

    def _command(self, mode: int, names: Any, **values: Any) -> None:
        command = self._kind(mode=mode, names=list(names), **{key: list(value) for key, value in values.items()})
        command.header.stamp = Time.from_nsec(time.time_ns())
        self._command_publisher.publish(command)

    def _ask(self, what: str, kind: Any, request: Message) -> Any:
        name = f"/ExternalTools/{self.name}/PositionKinematicsNode/{what}Service"
        try:
            self._node.wait_for_service(name, kind, STATE_TIMEOUT_S)
            return self._node.client(name, kind, STATE_TIMEOUT_S).call(request)
        except ServiceError as error:
            LOG.error("%s", error)
            return False

    @staticmethod
    def _joint_state(angles: Mapping[str, float]) -> Message:
        return message("sensor_msgs/JointState")(name=list(angles), position=list(angles.values()))

    @staticmethod
    def _stamped(pose: Any) -> Any:
        if hasattr(pose, "header"):
            return pose
        stamped: Any = message("geometry_msgs/PoseStamped")(pose=pose)
        stamped.header.stamp, stamped.header.frame_id = Time.from_nsec(time.time_ns()), "base"
        return stamped

    @classmethod
    def _pose(cls, state: Any) -> dict[str, Any]:
        turn = state.pose.orientation
        return {
            "position": cls._point(state.pose.position),
            "orientation": cls.Quaternion(turn.x, turn.y, turn.z, turn.w),
        }

    @classmethod
    def _point(cls, value: Any) -> Any:
        return cls.Point(value.x, value.y, value.z)
