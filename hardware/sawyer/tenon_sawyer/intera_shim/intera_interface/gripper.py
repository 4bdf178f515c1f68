"""The electric parallel gripper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import intera_dataflow
from intera_io import IODeviceInterface

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import Node

CONFIG_TIMEOUT_S = 5.0
CALIBRATION_TIMEOUT_S = 10.0
END_EFFECTOR_NODE = "end_effector"


class Gripper:
    """Positions are the opening in m, speeds m/s, forces N."""

    MAX_POSITION = 0.041667
    MIN_POSITION = 0.0
    MAX_FORCE = 10.0
    MIN_FORCE = 0.0
    MAX_VELOCITY = 3.0
    MIN_VELOCITY = 0.15

    def __init__(self, ee_name: str = "right_gripper", calibrate: bool = True, *, node: Node | None = None) -> None:
        """ee_name: of the device; the side alone will do. calibrate: where it is not yet, or after an error, which is
        cleared by a reboot; both move the fingers. Without it nothing moves, an error stays.

        Raises OSError where no such gripper is attached.
        """
        self.name = ee_name if ee_name.endswith("_gripper") else f"{ee_name}_gripper"
        self._node = node or process.node()
        attached = _attached_devices(self._node, lambda name: name == self.name)
        if self.name not in attached:
            raise OSError(f"no gripper {self.name!r} on the robot; attached: {', '.join(attached) or 'nothing'}")
        self.gripper_io = IODeviceInterface(END_EFFECTOR_NODE, self.name, node=self._node)
        broken = self.has_error()
        if calibrate and broken:
            self.reboot()
        if calibrate and (broken or not self.is_calibrated()):
            self.calibrate()

    def reboot(self) -> bool:
        """Power cycle; forgets the calibration."""
        return self._set("reboot", True)

    def calibrate(self) -> bool:
        """Moves the fingers to both ends; returns whether the gripper is calibrated then."""
        self._set("calibrate", True)
        return intera_dataflow.wait_for(self.is_calibrated, timeout=CALIBRATION_TIMEOUT_S, raise_on_error=False)

    def start(self) -> bool:
        return self._set("go", True)

    def stop(self) -> bool:
        """Holds where it is."""
        return self._set("go", False)

    def open(self, position: float = MAX_POSITION) -> bool:
        return self.set_position(position)

    def close(self, position: float = MIN_POSITION) -> bool:
        return self.set_position(position)

    def has_error(self) -> bool:
        return bool(self._get("has_error"))

    def is_ready(self) -> bool:
        return self.is_calibrated() and not self.has_error() and not self.is_moving()

    def is_moving(self) -> bool:
        return bool(self._get("is_moving"))

    def is_gripping(self) -> bool:
        return bool(self._get("is_gripping"))

    def is_calibrated(self) -> bool:
        return bool(self._get("is_calibrated"))

    def get_position(self) -> float:
        return float(self._get("position_response_m"))

    def set_position(self, position: float) -> bool:
        return self._set("position_m", position)

    def get_force(self) -> float:
        return float(self._get("force_response_n"))

    def set_velocity(self, speed: float) -> bool:
        return self._set("speed_mps", speed)

    set_cmd_velocity = set_velocity

    def get_cmd_velocity(self) -> float:
        return float(self._get("speed_mps"))

    def set_holding_force(self, holding_force: float) -> bool:
        return self._set("holding_force_n", holding_force)

    def set_object_weight(self, object_weight: float) -> bool:
        """kg, at the tip: the robot carries it from then on."""
        return self._set(f"{self.name}_tip_object_kg", object_weight)

    def get_object_weight(self) -> float:
        """kg"""
        return float(self._get(f"{self.name}_tip_object_kg"))

    def set_dead_zone(self, dead_zone: float) -> bool:
        """Position error within which a move counts as done."""
        return self._set("dead_zone_m", dead_zone)

    def get_dead_zone(self) -> float:
        return float(self._get("dead_zone_m"))

    def _get(self, signal: str) -> Any:
        return self.gripper_io.get_signal_value(signal)

    def _set(self, signal: str, value: Any) -> bool:
        return self.gripper_io.set_signal_value(signal, value)


def get_current_gripper_interface(*, node: Node | None = None) -> Gripper:
    """The gripper that is attached now. Raises OSError where there is none."""
    owner = node or process.node()
    attached = [name for name in _attached_devices(owner, _is_gripper) if _is_gripper(name)]
    if not attached:
        raise OSError("no gripper is attached to the robot")
    return Gripper(attached[0], node=owner)


def _is_gripper(name: str) -> bool:
    return name.endswith("_gripper")


def _attached_devices(node: Node, is_wanted: Callable[[str], bool]) -> list[str]:
    """The end effectors that the robot has found on its flange; it is given time to find one that is wanted."""
    attached: list[str] = []

    def take(msg: Any) -> None:
        attached[:] = [device.name for device in msg.devices]

    kind = message("intera_core_msgs/IONodeConfiguration")
    subscription = node.subscribe(f"/io/{END_EFFECTOR_NODE}/config", kind, take)
    try:
        intera_dataflow.wait_for(
            lambda: any(is_wanted(name) for name in attached), timeout=CONFIG_TIMEOUT_S, raise_on_error=False
        )
    finally:
        node.unsubscribe(subscription, take)
    return attached
