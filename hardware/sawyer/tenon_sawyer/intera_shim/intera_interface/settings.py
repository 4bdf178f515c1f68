"""Tolerances and versions of the SDK that this package stands in for."""

JOINT_ANGLE_TOLERANCE = 0.008726646
"""rad; half a degree."""
HEAD_PAN_ANGLE_TOLERANCE = 0.1
"""rad"""

SDK_VERSION = "5.3.0"
CHECK_VERSION = True
VERSIONS_SDK2ROBOT = {"5.3.0": ["5.2.0", "5.2.1", "5.2.2", "5.3.0", "5.3.1"]}
"""Versions of the robot's software that speak the messages of this package."""
