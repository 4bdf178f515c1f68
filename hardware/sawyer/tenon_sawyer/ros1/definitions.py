"""The message and service types on a Sawyer's topics.

A definition is part of the protocol: its md5 decides whether two nodes talk, so field names, order and constants are
the robot's. Tests hold the sums against those measured on the robot's own definitions, and against a real ROS 1.
"""

from __future__ import annotations

from typing import Any

from tenon_sawyer.ros1.messages import Message, Registry, ServiceType

_MESSAGES = {
    "std_msgs/Header": "uint32 seq\ntime stamp\nstring frame_id\n",
    "std_msgs/Bool": "bool data\n",
    "std_msgs/Empty": "\n",
    "std_msgs/Float32": "float32 data\n",
    "std_msgs/Float64": "float64 data\n",
    "std_msgs/Int32": "int32 data\n",
    "std_msgs/UInt16": "uint16 data\n",
    "std_msgs/String": "string data\n",
    "geometry_msgs/Point": "float64 x\nfloat64 y\nfloat64 z\n",
    "geometry_msgs/Vector3": "float64 x\nfloat64 y\nfloat64 z\n",
    "geometry_msgs/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w\n",
    "geometry_msgs/Pose": "Point position\nQuaternion orientation\n",
    "geometry_msgs/PoseStamped": "Header header\nPose pose\n",
    "geometry_msgs/Twist": "Vector3 linear\nVector3 angular\n",
    "geometry_msgs/Wrench": "Vector3 force\nVector3 torque\n",
    "geometry_msgs/WrenchStamped": "Header header\nWrench wrench\n",
    "sensor_msgs/JointState": """\
Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
""",
    "intera_core_msgs/JointCommand": """\
Header header
int32 mode
string[] names
float64[] position
float64[] velocity
float64[] acceleration
float64[] effort
int32 POSITION_MODE=1
int32 VELOCITY_MODE=2
int32 TORQUE_MODE=3
int32 TRAJECTORY_MODE=4
""",
    "intera_core_msgs/EndpointState": """\
Header header
geometry_msgs/Pose pose
geometry_msgs/Twist twist
geometry_msgs/Wrench wrench
bool valid
""",
    "intera_core_msgs/EndpointStates": "Header header\nstring[] names\nEndpointState[] states\n",
    "intera_core_msgs/CollisionDetectionState": "Header header\nbool collision_state\n",
    "intera_core_msgs/RobotAssemblyState": """\
bool homed
bool ready
bool enabled
bool stopped
bool error
bool lowVoltage
uint8 estop_button
uint8 ESTOP_BUTTON_UNPRESSED = 0
uint8 ESTOP_BUTTON_PRESSED = 1
uint8 ESTOP_BUTTON_UNKNOWN = 2
uint8 ESTOP_BUTTON_RELEASED = 3
uint8 estop_source
uint8 ESTOP_SOURCE_NONE = 0
uint8 ESTOP_SOURCE_USER = 1
uint8 ESTOP_SOURCE_UNKNOWN = 2
uint8 ESTOP_SOURCE_FAULT = 3
uint8 ESTOP_SOURCE_ENGINE = 4
""",
    "intera_core_msgs/IOStatus": """\
string tag
string DOWN = down
string READY = ready
string BUSY = busy
string UNREADY = unready
string ERROR = error
string id
string detail
""",
    "intera_core_msgs/IOComponentConfiguration": "string name\nstring config\n",
    "intera_core_msgs/IOComponentStatus": "string name\nIOStatus status\n",
    "intera_core_msgs/IOComponentCommand": "time time\nstring op\nstring args\n",
    "intera_core_msgs/IODataStatus": "string name\nstring format\nstring data\nIOStatus status\n",
    "intera_core_msgs/IONodeConfiguration": """\
time time
IOComponentConfiguration node
IOComponentConfiguration[] devices
IOComponentConfiguration[] plugins
""",
    "intera_core_msgs/IONodeStatus": """\
time time
IOComponentStatus node
IOComponentStatus[] devices
time[] commands
""",
    "intera_core_msgs/IODeviceConfiguration": """\
time time
string commanded
string upgraded
IOComponentConfiguration device
IOComponentConfiguration[] ports
IOComponentConfiguration[] signals
""",
    "intera_core_msgs/IODeviceStatus": """\
time time
IOComponentStatus device
IODataStatus[] ports
IODataStatus[] signals
time[] commands
string[] responses
""",
    "intera_core_msgs/HeadState": """\
float32 pan
bool isTurning
bool isBlocked
uint8 PASSIVE_MODE = 0
uint8 ACTIVE_MODE = 1
uint8 ACTIVE_CANCELLATION_MODE = 2
uint8 panMode
""",
    "intera_core_msgs/HeadPanCommand": """\
float32 target
float32 speed_ratio
float32 MAX_SPEED_RATIO = 1.0
float32 MIN_SPEED_RATIO = 0.0
uint8 pan_mode
uint8 SET_PASSIVE_MODE = 0
uint8 SET_ACTIVE_MODE = 1
uint8 SET_ACTIVE_CANCELLATION_MODE = 2
uint8 NO_MODE_CHANGE = 3
""",
    "intera_core_msgs/InteractionControlCommand": """\
Header header
bool interaction_control_active
float64[] K_impedance
bool[] max_impedance
float64[] D_impedance
float64[] K_nullspace
float64[] force_command
geometry_msgs/Pose interaction_frame
string endpoint_name
bool in_endpoint_frame
bool disable_damping_in_force_control
bool disable_reference_resetting
uint8 IMPEDANCE_MODE=1
uint8 FORCE_MODE=2
uint8 IMPEDANCE_WITH_FORCE_LIMIT_MODE=3
uint8 FORCE_WITH_MOTION_LIMIT_MODE=4
uint8[] interaction_control_mode
bool rotations_for_constrained_zeroG
""",
    "intera_core_msgs/JointLimits": """\
string[] joint_names
float64[] position_lower
float64[] position_upper
float64[] velocity
float64[] accel
float64[] effort
""",
}

_SERVICES = {
    "intera_core_msgs/SolvePositionIK": """\
geometry_msgs/PoseStamped[] pose_stamp
sensor_msgs/JointState[] seed_angles
int8 SEED_AUTO = 0
int8 SEED_USER = 1
int8 SEED_CURRENT = 2
int8 SEED_NS_MAP = 3
int8 seed_mode
bool[] use_nullspace_goal
sensor_msgs/JointState[] nullspace_goal
float64[] nullspace_gain
string[] tip_names
---
sensor_msgs/JointState[] joints
int8 IK_FAILED = -1
int8 IK_IN_COLLISION = -2
int8 IK_ENDPOINT_DOES_NOT_EXIST = -3
int8[] result_type
""",
    "intera_core_msgs/SolvePositionFK": """\
sensor_msgs/JointState[] configuration
string[] tip_names
---
geometry_msgs/PoseStamped[] pose_stamp
bool[] isValid
bool[] inCollision
""",
}


def _registry() -> Registry:
    registry = Registry()
    for name, text in _MESSAGES.items():
        registry.add(name, text)
    for name, text in _SERVICES.items():
        registry.add_service(name, text)
    return registry


REGISTRY = _registry()
"""All types above. A script that needs another may ``add`` it before it subscribes."""


def message(name: str) -> type[Message]:
    """The class of a message, by ``package/Name``. Raises DefinitionError."""
    return REGISTRY.message(name)


def service(name: str) -> ServiceType:
    """The type of a service, by ``package/Name``. Raises DefinitionError."""
    return REGISTRY.service(name)


def export(package: str, module: dict[str, Any], *, services: bool = False) -> None:
    """Fills a module ``PACKAGE.msg`` or ``PACKAGE.srv`` with its classes, as scripts import them from a ROS 1."""
    names = [name for name in REGISTRY.names(package) if not _is_part_of_service(f"{package}/{name}")]
    found: dict[str, Any] = {name: REGISTRY.message(f"{package}/{name}") for name in names}
    if services:
        kinds = {name: REGISTRY.service(f"{package}/{name}") for name in REGISTRY.names(package, services=True)}
        found = dict(kinds)
        for name, kind in kinds.items():
            found |= {f"{name}Request": kind._request_class, f"{name}Response": kind._response_class}
    module.update(found)
    module["__all__"] = sorted(found)


def _is_part_of_service(name: str) -> bool:
    return any(name in (f"{service}Request", f"{service}Response") for service in _SERVICES)
