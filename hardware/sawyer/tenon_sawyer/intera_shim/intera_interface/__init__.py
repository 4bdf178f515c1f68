"""The vendor's Python interface to a Sawyer, by its documented API, over the robot's own ROS 1 topics.

Written anew for Python 3 without ROS 1: scripts for ``intera_interface`` run as they are (python -m tenon_sawyer.shim
SCRIPT). All positions are in rad or m, torques in Nm, forces in N, speeds per second.
"""

from .cuff import Cuff
from .gripper import Gripper, get_current_gripper_interface
from .head import Head
from .joint_limits import JointLimits
from .lights import Lights
from .limb import Limb
from .navigator import Navigator
from .robot_enable import RobotEnable
from .robot_params import RobotParams
from .settings import (
    CHECK_VERSION,
    HEAD_PAN_ANGLE_TOLERANCE,
    JOINT_ANGLE_TOLERANCE,
    SDK_VERSION,
    VERSIONS_SDK2ROBOT,
)

__all__ = [
    "CHECK_VERSION",
    "HEAD_PAN_ANGLE_TOLERANCE",
    "JOINT_ANGLE_TOLERANCE",
    "SDK_VERSION",
    "VERSIONS_SDK2ROBOT",
    "Cuff",
    "Gripper",
    "Head",
    "JointLimits",
    "Lights",
    "Limb",
    "Navigator",
    "RobotEnable",
    "RobotParams",
    "get_current_gripper_interface",
]
