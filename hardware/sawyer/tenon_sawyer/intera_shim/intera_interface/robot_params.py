"""What the robot says of itself on the parameter server."""

from __future__ import annotations

import logging
from typing import Any

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.xmlrpc import CallError

LOG = logging.getLogger("intera_interface")
NOT_LIMBS = ("torso", "head")


class RobotParams:
    """Reads once per call; what is not there is logged and comes back empty."""

    def __init__(self, *, node: Node | None = None) -> None:
        self._parameter = process.parameter if node is None else node.parameter

    def get_camera_names(self) -> list[str]:
        return list(self.get_camera_details())

    def get_camera_details(self) -> dict[str, Any]:
        return self._read("/robot_config/camera_config", {})

    def get_limb_names(self) -> list[str]:
        """Assemblies with joints: ["right"] on a Sawyer."""
        return [name for name in self.get_robot_assemblies() if name not in NOT_LIMBS]

    def get_robot_assemblies(self) -> list[str]:
        return self._read("/robot_config/assembly_names", [])

    def get_joint_names(self, limb_name: str) -> list[str]:
        """From the shoulder to the wrist."""
        return self._read(f"/robot_config/{limb_name}_config/joint_names", [])

    def get_robot_name(self) -> str | None:
        """The class of robot: "sawyer"."""
        return self._read("/manifest/robot_class", None)

    def log_message(self, msg: str, level: str = "INFO") -> None:
        LOG.log(logging.getLevelNamesMapping()[level], "%s", msg)

    def _read(self, key: str, default: Any) -> Any:
        try:
            return self._parameter(key)
        except KeyError:
            LOG.error("the robot has no parameter %s", key)
        except CallError as error:
            LOG.error("the parameter server cannot be reached, look at ROS_MASTER_URI and ROS_IP: %s", error)
        return default
