"""The graph, declared once: every topic with its type, quality of service and rate.

Nodes, recorder, launch tests and ``tenon doctor`` all read this table. Names are relative, so that a namespace moves
the whole graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from tenon_msgs.msg import (
    ArmCommand,
    ArmState,
    ElectricalState,
    EpisodeSummary,
    Observation,
    PolicyAction,
    PolicyWeights,
    Reference,
    ResidualCommand,
    Reward,
    SafetyState,
    SessionState,
    TeleopState,
    TrainerState,
    Transition,
)
from tf2_msgs.msg import TFMessage


def _qos(depth: int, *, reliable: bool, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


SENSOR = _qos(20, reliable=False)
"""Sensor data: newest counts, a lost sample is not sent again."""
LATEST = _qos(1, reliable=False)
"""What a person does at this moment: the last one counts, an old one must never come late."""
COMMAND = _qos(1, reliable=True)
"""Commands: only the newest, never lost."""
FOLLOWED = _qos(10, reliable=True)
"""Commands of which some reader must not miss one: a writer that keeps one alone may replace, on DDS, what is not yet
acknowledged. Whoever wants only the newest reads with depth 1."""
STREAM = QoSProfile(history=HistoryPolicy.KEEP_ALL, depth=0, reliability=ReliabilityPolicy.RELIABLE)
"""Streams that learning reads: every sample counts, so a publisher waits rather than drop one."""
STREAM_OF_FRAMES = _qos(100, reliable=True)
"""As tf2 subscribes."""
LATCHED = _qos(1, reliable=True, latched=True)
"""State: whoever comes late gets the last one."""


@dataclass(frozen=True)
class Topic:
    """A topic of the graph. rate says how often it is published, in the words of docs/architecture.md."""

    name: str
    type: Any
    qos: QoSProfile
    rate: str

    def qos_of_depth(self, depth: int | None) -> QoSProfile:
        """The topic's quality of service with another queue; None leaves the contract's."""
        if depth is None:
            return self.qos
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=self.qos.reliability,
            durability=self.qos.durability,
        )


CAMERA_IMAGE = Topic("camera/image_raw", Image, SENSOR, "camera rate")
JOINT_STATES = Topic("joint_states", JointState, SENSOR, "state rate")
TCP_POSE = Topic("tcp/pose", PoseStamped, SENSOR, "state rate")
TCP_WRENCH = Topic("tcp/wrench", WrenchStamped, SENSOR, "state rate")
TASK_ELECTRICAL = Topic("task/electrical", ElectricalState, SENSOR, "control rate or faster")
OBSERVATION = Topic("observation", Observation, STREAM, "control rate")
POLICY_ACTION = Topic("policy/action", PolicyAction, FOLLOWED, "control rate while a policy runs")
POLICY_WEIGHTS = Topic("policy/weights", PolicyWeights, LATCHED, "every few gradient steps")
REWARD = Topic("reward", Reward, STREAM, "control rate while an episode runs")
RESIDUAL_COMMAND = Topic("residual/command", ResidualCommand, STREAM, "control rate while an episode runs")
RESIDUAL_REFERENCE = Topic("command/residual", Reference, COMMAND, "control rate while an episode runs")
SESSION_REFERENCE = Topic("command/session", Reference, COMMAND, "control rate while resetting")
TELEOP_REFERENCE = Topic("teleop/command", Reference, COMMAND, "20 Hz or faster while a person drives")
TELEOP_TWIST = Topic("teleop/twist", TwistStamped, LATEST, "20 Hz or faster while the console's control is held")
"""Velocity of the TCP in axes of the base, m/s and rad/s, cut to the speeds of config/teleop/console.yaml; a person who
lets go sends nothing more. Time of arrival counts, not the stamp."""
TELEOP_STATE = Topic("teleop/state", TeleopState, LATCHED, "on change")
COMMAND_REFERENCE = Topic("command/reference", Reference, FOLLOWED, "control rate")
COMMAND_SAFE = Topic("command/safe", Reference, COMMAND, "control rate")
JOINT_COMMAND = Topic("joint_command", ArmCommand, SENSOR, "state rate")
ARM_STATE = Topic("arm/state", ArmState, LATCHED, "on change")
SAFETY_STATE = Topic("safety/state", SafetyState, LATCHED, "heartbeat rate")
SESSION_STATE = Topic("session/state", SessionState, LATCHED, "on change")
TRANSITION = Topic("transition", Transition, STREAM, "control rate while an episode runs")
EPISODE_SUMMARY = Topic("session/episode", EpisodeSummary, STREAM, "once an episode")
TRAINER_STATE = Topic("trainer/state", TrainerState, LATCHED, "1 Hz")

TOPICS: tuple[Topic, ...] = (
    CAMERA_IMAGE,
    JOINT_STATES,
    TCP_POSE,
    TCP_WRENCH,
    TASK_ELECTRICAL,
    OBSERVATION,
    POLICY_ACTION,
    POLICY_WEIGHTS,
    REWARD,
    RESIDUAL_COMMAND,
    RESIDUAL_REFERENCE,
    SESSION_REFERENCE,
    TELEOP_REFERENCE,
    TELEOP_TWIST,
    TELEOP_STATE,
    COMMAND_REFERENCE,
    COMMAND_SAFE,
    JOINT_COMMAND,
    ARM_STATE,
    SAFETY_STATE,
    SESSION_STATE,
    TRANSITION,
    EPISODE_SUMMARY,
    TRAINER_STATE,
)

CAMERA_INFO = Topic("camera/camera_info", CameraInfo, SENSOR, "camera rate, where the lens is known")
CAMERA_DEPTH = Topic("camera/depth/image_raw", Image, SENSOR, "camera rate, where the camera has depth")
DIAGNOSTICS = Topic("/diagnostics", DiagnosticArray, COMMAND, "1 Hz, and when a fault of camera or recorder comes")
TF = Topic("/tf", TFMessage, STREAM_OF_FRAMES, "control rate")
TF_STATIC = Topic("/tf_static", TFMessage, LATCHED, "once")
ROBOT_DESCRIPTION = Topic("robot_description", String, LATCHED, "once")

FOR_TOOLS: tuple[Topic, ...] = (CAMERA_INFO, CAMERA_DEPTH, DIAGNOSTICS, TF, TF_STATIC, ROBOT_DESCRIPTION)
"""What people and their tools (RViz, Foxglove, calibration) look at; no node of a session needs it, none records it.
The names with a leading slash are those that tf2 and the diagnostics' viewers expect."""

RESET_TASK_SERVICE = "task/reset"
TARE_SERVICE = "observation/tare"
CLEAR_FAULT_SERVICE = "safety/clear"
SAFETY_STOP_SERVICE = "safety/stop"
START_SERVICE = "session/start"
PAUSE_SERVICE = "session/pause"
RESUME_SERVICE = "session/resume"
STOP_SERVICE = "session/stop"
MARK_EPISODE_SERVICE = "session/mark"
HAND_BACK_SERVICE = "teleop/hand_back"
"""A person who took over gives the arm back, whichever device they drive by."""
RUN_SESSION_ACTION = "session/run"
SAVE_TRAINING_SERVICE = "trainer/save"
FREEDRIVE_SERVICE = "arm/freedrive"
"""While it is on, the arm gives way to a person's hand and the inner loop sends it nothing; off, it holds."""
SIMULATION_HAND_SERVICE = "simulation/hand"
"""A person's hand where there is no person: it guides the tool of an arm that gives way."""
SIMULATION_PUSH_SERVICE = "simulation/push"
SIMULATION_CAMERA_SERVICE = "simulation/camera"
"""The last two: faults that only a simulation offers, for tests."""
