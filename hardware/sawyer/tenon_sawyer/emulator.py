"""A Sawyer on the network: its ROS 1 master, its topics with their real types, and a plant for its motors."""

from __future__ import annotations

import enum
import threading
import time
from typing import Any

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat

from tenon.configuration.base import Config
from tenon.control.geometry import pose
from tenon.control.kinematics import Kinematics
from tenon.control.types import Pose, RobotState
from tenon_mujoco.emulation import EmulatorError
from tenon_mujoco.plant import Plant
from tenon_sawyer.emulated_arm import EmulatedArm, JointRequest, Mode, ordered
from tenon_sawyer.emulated_io import CUFF_SWITCH, IoBoard
from tenon_sawyer.ros1.definitions import message, service
from tenon_sawyer.ros1.master import Master
from tenon_sawyer.ros1.messages import Message
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.publisher import Publisher
from tenon_sawyer.ros1.time import Time

SOFTWARE_VERSION = "5.3.0-emulated"
LIMB, HAND = "right", "right_hand"
NEUTRAL_RAD = (0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161)
SLOW_PERIOD_S = 0.01
"""Of /robot/state and the collision detection."""
IO_PERIOD_S = 0.05
DEFAULT_STATE_RATE_HZ = 100.0
PAN_RATE_RAD_S = 1.0
HEAD_LIMIT_RAD = 3.0


class HeadMode(enum.IntEnum):
    """As in intera_core_msgs/HeadPanCommand."""

    PASSIVE = 0
    ACTIVE = 1
    ACTIVE_CANCELLATION = 2


class EmulatorSettings(Config):
    """host, port: of the master. control_rate_hz: of the robot's own loop; states are published at what
    /robot/joint_state_publish_rate asks for, at most at this rate, at 100 Hz before anybody has asked.

    collision_force_n: at the tool, above which the robot's collision detection is triggered. enabled: the state after
    booting; a real robot boots disabled. object_width_m: of what lies between the fingers of the gripper, if there is
    one at all. patience_s: in torque mode the stand's time waits so long for each answer to a state; 0: never.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=11311, ge=0, le=65535)
    control_rate_hz: PositiveFloat = Field(default=500.0, le=1000.0)
    collision_force_n: PositiveFloat = 80.0
    enabled: bool = False
    gripper: bool = True
    object_width_m: PositiveFloat | None = None
    patience_s: NonNegativeFloat = 0.0


def create(settings: EmulatorSettings, plant: Plant) -> SawyerEmulator:
    """As tenon_mujoco.emulation asks for it."""
    return SawyerEmulator(settings, plant)


class SawyerEmulator:
    """``start``, then ``turn`` once per period. ``reboot``, ``cut`` and ``arm`` are for tests of faults."""

    def __init__(self, settings: EmulatorSettings, plant: Plant) -> None:
        self._settings, self._plant = settings, plant
        self.period_s = 1.0 / settings.control_rate_hz
        self._lock = threading.RLock()
        self._robot: _RunningRobot | None = None
        self._port = settings.port

    @property
    def plant(self) -> Plant:
        """What is behind the robot's motors."""
        return self._plant

    @property
    def uri(self) -> str:
        """ROS_MASTER_URI of this robot."""
        return f"http://{self._settings.host}:{self._port}/"

    @property
    def arm(self) -> EmulatedArm:
        """The arm's own controller."""
        return self.robot.arm

    @property
    def robot(self) -> _RunningRobot:
        """Raises EmulatorError while the robot is off."""
        if self._robot is None:
            raise EmulatorError("the emulated robot is off: start() first")
        return self._robot

    def start(self) -> None:
        """Boots the robot. Raises EmulatorError where its address or port cannot be had."""
        self._boot(enabled=self._settings.enabled)

    def turn(self) -> None:
        with self._lock:
            if self._robot is not None:
                self._robot.turn(self.period_s)

    def shut_down(self) -> None:
        """The robot goes off, master and all; the brakes hold the arm."""
        with self._lock:
            robot, self._robot = self._robot, None
            self._plant.hold()
        if robot is not None:
            robot.close()

    close = shut_down

    def reboot(self) -> None:
        """Off and on again: as a person does it, the robot is disabled afterwards."""
        self.shut_down()
        self._boot(enabled=False)

    def _boot(self, *, enabled: bool) -> None:
        with self._lock:
            try:
                robot = _RunningRobot(self._settings, self._plant, self._port)
            except OSError as error:
                raise EmulatorError(
                    f"{self._settings.host}:{self._port} cannot be opened ({error}): another robot is emulated there, "
                    "or a ROS master runs. Give the emulator's settings another port, and the driver's the same"
                ) from error
            robot.arm.enable(enabled)
            self._robot, self._port = robot, robot.master.port


class _RunningRobot:
    """Everything that lives from one boot to the next."""

    def __init__(self, settings: EmulatorSettings, plant: Plant, port: int) -> None:
        self.unplugged = False
        """The cable is out: nothing is said and nothing heard, but no connection ends either."""
        self._plant, self._patience_s = plant, settings.patience_s
        self._names = plant.arm.joint_names
        self._kinematics = Kinematics(plant.arm)
        self.master = Master(settings.host, port, parameters=self._parameters())
        self.node = Node("/robot_controller", self.master.uri, host=settings.host)
        self.arm = EmulatedArm(plant, collision_force_n=settings.collision_force_n)
        self._state_period_s = 1.0 / DEFAULT_STATE_RATE_HZ
        self._fastest_period_s = 1.0 / settings.control_rate_hz
        self._since_state_s = 0.0
        self._slow_due_s = self._io_due_s = time.monotonic()
        self._head_rad, self._head_target_rad, self._head_mode = 0.0, 0.0, HeadMode.ACTIVE
        self._publishers = self._advertise()
        self._subscribe()
        self._offer_kinematics()
        self.io = IoBoard(self.node, gripper=settings.gripper, object_width_m=settings.object_width_m)
        self._guided = False
        self._publish_limits()

    def turn(self, period_s: float) -> None:
        self.arm.wait_for_answer(self._patience_s)
        self._watch_cuff()
        reading, now_s = self._plant.reading(), time.monotonic()
        self.arm.turn(reading, period_s, now_s)
        if self.unplugged:
            return
        stamp = Time.from_nsec(time.time_ns())
        self._since_state_s += period_s
        if self._since_state_s > self._state_period_s - period_s / 2:
            self._since_state_s = 0.0
            self._publish_state(reading, stamp)
        if now_s >= self._slow_due_s:
            self._slow_due_s = now_s + SLOW_PERIOD_S
            self._publish_slow(stamp)
        if now_s >= self._io_due_s:
            self._io_due_s = now_s + IO_PERIOD_S
            self._turn_head(IO_PERIOD_S)
            self.io.publish(IO_PERIOD_S)

    def _watch_cuff(self) -> None:
        """Who guides the arm by hand has it by the cuff."""
        switch = self.io.cuff.signals[CUFF_SWITCH]
        if self._plant.is_guided is not self._guided:
            self._guided = switch.value = self._plant.is_guided
        self.arm.squeeze(bool(switch.value))

    def close(self) -> None:
        self.node.close("the robot goes off")
        self.master.close()

    def publisher(self, topic: str) -> Publisher:
        """For tests that send what a robot would not."""
        return self._publishers[topic]

    def _parameters(self) -> dict[str, Any]:
        return {
            "/manifest/robot_class": "sawyer",
            "/manifest/robot_software/version/HLR_VERSION_STRING": SOFTWARE_VERSION,
            "/robot_config/assembly_names": [LIMB, "head", "torso"],
            f"/robot_config/{LIMB}_config/joint_names": list(self._names),
            f"/named_poses/{LIMB}/poses/neutral": list(NEUTRAL_RAD),
            "/robot_config/camera_config/head_camera/cameraType": "ethernet",
        }

    def _advertise(self) -> dict[str, Publisher]:
        core, root = "intera_core_msgs", f"/robot/limb/{LIMB}"
        topics = {
            "/robot/joint_states": "sensor_msgs/JointState",
            f"{root}/endpoint_state": f"{core}/EndpointState",
            f"{root}/tip_states": f"{core}/EndpointStates",
            f"{root}/collision_detection_state": f"{core}/CollisionDetectionState",
            "/robot/state": f"{core}/RobotAssemblyState",
            "/robot/head/head_state": f"{core}/HeadState",
        }
        return {topic: self.node.advertise(topic, message(kind)) for topic, kind in topics.items()}

    def _subscribe(self) -> None:
        core, root = "intera_core_msgs", f"/robot/limb/{LIMB}"
        subscribe = self.node.subscribe
        subscribe(f"{root}/joint_command", message(f"{core}/JointCommand"), self._on_command)
        subscribe(f"{root}/joint_command_timeout", message("std_msgs/Float64"), self._on_timeout)
        subscribe(f"{root}/set_speed_ratio", message("std_msgs/Float64"), self._on_speed)
        subscribe("/robot/set_super_enable", message("std_msgs/Bool"), lambda msg: self.arm.enable(msg.data))
        subscribe("/robot/set_super_reset", message("std_msgs/Empty"), lambda _: self.arm.reset())
        subscribe("/robot/set_super_stop", message("std_msgs/Empty"), lambda _: self.arm.stop())
        subscribe("/robot/joint_state_publish_rate", message("std_msgs/UInt16"), self._on_rate)
        subscribe("/robot/head/command_head_pan", message(f"{core}/HeadPanCommand"), self._on_pan)

    def _offer_kinematics(self) -> None:
        root = f"/ExternalTools/{LIMB}/PositionKinematicsNode"
        self.node.serve(f"{root}/IKService", service("intera_core_msgs/SolvePositionIK"), self._solve_ik)
        self.node.serve(f"{root}/FKService", service("intera_core_msgs/SolvePositionFK"), self._solve_fk)

    def _on_command(self, msg: Any) -> None:
        if self.unplugged:
            return
        try:
            mode = Mode(msg.mode)
        except ValueError:
            return  # the robot does not answer commands that it does not know
        here, still = self._plant.reading().joint_position_rad, np.zeros(len(self._names))
        values = np.concatenate((msg.position, msg.velocity, msg.effort))
        if not np.isfinite(values).all():
            return
        self.arm.command(
            JointRequest(
                mode,
                ordered(msg.names, msg.position, self._names, here),
                ordered(msg.names, msg.velocity, self._names, still),
                ordered(msg.names, msg.effort, self._names, still),
            ),
            time.monotonic(),
        )

    def _on_timeout(self, msg: Any) -> None:
        self.arm.timeout_s = max(0.0, msg.data)

    def _on_speed(self, msg: Any) -> None:
        self.arm.speed_ratio = min(max(msg.data, 0.0), 1.0)

    def _on_rate(self, msg: Any) -> None:
        self._state_period_s = max(1.0 / max(msg.data, 1), self._fastest_period_s)

    def _on_pan(self, msg: Any) -> None:
        self._head_target_rad = msg.target
        if msg.pan_mode in tuple(HeadMode):
            self._head_mode = HeadMode(msg.pan_mode)

    def _publish_state(self, reading: RobotState, stamp: Time) -> None:
        joints: Any = message("sensor_msgs/JointState")(
            name=list(self._names),
            position=reading.joint_position_rad.tolist(),
            velocity=reading.joint_velocity_rad_s.tolist(),
            effort=reading.joint_effort_nm.tolist(),
        )
        joints.header.stamp = stamp
        endpoint = self._endpoint(reading, stamp)
        self._publishers["/robot/joint_states"].publish(joints)
        self._publishers[f"/robot/limb/{LIMB}/endpoint_state"].publish(endpoint)
        tips = self._publishers[f"/robot/limb/{LIMB}/tip_states"]
        if tips.connections:
            states: Any = message("intera_core_msgs/EndpointStates")(names=[HAND], states=[endpoint])
            states.header.stamp = stamp
            tips.publish(states)

    def _endpoint(self, reading: RobotState, stamp: Time) -> Message:
        """The hand, which is the flange. The wrench is moved there from the tool's tip."""
        hand = self._kinematics.forward(reading.joint_position_rad)
        twist = self._kinematics.jacobian(reading.joint_position_rad) @ reading.joint_velocity_rad_s
        force, moment = reading.wrench_in_base[:3], reading.wrench_in_base[3:]
        moment = moment + np.cross(reading.tcp_in_base.position_m - hand.position_m, force)
        state: Any = message("intera_core_msgs/EndpointState")(valid=True)
        state.header.stamp, state.header.frame_id = stamp, "base"
        state.pose = _pose_message(hand)
        for target, values in (
            (state.twist.linear, twist[:3]),
            (state.twist.angular, twist[3:]),
            (state.wrench.force, force),
            (state.wrench.torque, moment),
        ):
            target.x, target.y, target.z = values.tolist()
        return state

    def _publish_slow(self, stamp: Time) -> None:
        state = self.arm.state
        self._publishers["/robot/state"].publish(
            message("intera_core_msgs/RobotAssemblyState")(
                homed=True,
                ready=state.ready,
                enabled=state.enabled,
                stopped=state.stopped,
                error=state.error,
                estop_button=int(state.button),
                estop_source=int(state.source),
            )
        )
        collision: Any = message("intera_core_msgs/CollisionDetectionState")(collision_state=self.arm.collided)
        collision.header.stamp = stamp
        self._publishers[f"/robot/limb/{LIMB}/collision_detection_state"].publish(collision)

    def _turn_head(self, period_s: float) -> None:
        base_rad = float(self._plant.reading().joint_position_rad[0])
        target_rad = self._head_target_rad - (base_rad if self._head_mode is HeadMode.ACTIVE_CANCELLATION else 0.0)
        way = min(max(target_rad, -HEAD_LIMIT_RAD), HEAD_LIMIT_RAD) - self._head_rad
        self._head_rad += min(max(way, -PAN_RATE_RAD_S * period_s), PAN_RATE_RAD_S * period_s)
        head = message("intera_core_msgs/HeadState")(
            pan=self._head_rad, isTurning=abs(way) > 1e-3, panMode=int(self._head_mode)
        )
        self._publishers["/robot/head/head_state"].publish(head)

    def _publish_limits(self) -> None:
        joints = self._plant.arm.joints
        publisher = self.node.advertise("/robot/joint_limits", message("intera_core_msgs/JointLimits"), latch=True)
        publisher.publish(
            message("intera_core_msgs/JointLimits")(
                joint_names=list(self._names),
                position_lower=[joint.lower_rad for joint in joints],
                position_upper=[joint.upper_rad for joint in joints],
                velocity=[joint.velocity_limit_rad_s for joint in joints],
                accel=[0.0 for _ in joints],
                effort=[joint.effort_limit_nm for joint in joints],
            )
        )

    def _solve_ik(self, request: Any) -> Message:
        response: Any = service("intera_core_msgs/SolvePositionIK")._response_class()
        kinematics = Kinematics(self._plant.arm)
        here = self._plant.reading().joint_position_rad
        tips = request.tip_names or [HAND] * len(request.pose_stamp)
        for index, (stamped, tip) in enumerate(zip(request.pose_stamp, tips, strict=True)):
            seed = here
            if index < len(request.seed_angles):
                given = request.seed_angles[index]
                seed = ordered(given.name, given.position, self._names, here)
            if tip != HAND:
                joints, result = here, response.IK_ENDPOINT_DOES_NOT_EXIST
            else:
                solution = kinematics.inverse(_pose_of(stamped.pose), seed)
                joints = solution.joint_position_rad
                result = 1 if solution.converged else response.IK_FAILED
            response.joints.append(message("sensor_msgs/JointState")(name=list(self._names), position=joints.tolist()))
            response.result_type.append(result)
        return response

    def _solve_fk(self, request: Any) -> Message:
        response: Any = service("intera_core_msgs/SolvePositionFK")._response_class()
        kinematics = Kinematics(self._plant.arm)
        here = self._plant.reading().joint_position_rad
        for joints, tip in zip(request.configuration, request.tip_names, strict=True):
            hand = kinematics.forward(ordered(joints.name, joints.position, self._names, here))
            stamped: Any = message("geometry_msgs/PoseStamped")(pose=_pose_message(hand))
            stamped.header.frame_id = "base"
            response.pose_stamp.append(stamped)
            response.isValid.append(tip == HAND)
            response.inCollision.append(False)
        return response


def _pose_message(value: Pose) -> Message:
    result: Any = message("geometry_msgs/Pose")()
    result.position.x, result.position.y, result.position.z = value.position_m.tolist()
    turn = result.orientation
    turn.x, turn.y, turn.z, turn.w = value.quaternion_xyzw.tolist()
    return result


def _pose_of(msg: Any) -> Pose:
    position, turn = msg.position, msg.orientation
    return pose((position.x, position.y, position.z), (turn.x, turn.y, turn.z, turn.w))
