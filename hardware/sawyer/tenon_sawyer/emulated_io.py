"""The IO devices of a Sawyer: cuff, navigators, lights and the electric gripper, as JSON signals on three topics."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.messages import Message
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.time import Time

REMEMBERED_COMMANDS = 100
GRIPPER = "right_gripper"
GRIPPER_STROKE_M = 0.041667
HOLDING_FORCE_N = 10.0
BUTTONS = tuple(
    f"{side}_button_{name}"
    for side in ("right", "head")
    for name in ("ok", "back", "show", "circle", "square", "triangle")
)
LIGHTS = tuple(f"{place}_{colour}_light" for place in ("head", "right_hand") for colour in ("red", "green", "blue"))
CUFF_SWITCH = "right_cuff"
CUFF = (CUFF_SWITCH, "right_button_lower", "right_button_upper")


@dataclass(slots=True)
class Signal:
    """kind: as in JSON ("bool", "int", "float"). settable: by a command."""

    kind: str
    value: Any
    settable: bool = False


class IoDevice:
    """One device: publishes its state, takes ``set`` commands, acknowledges each by its stamp."""

    def __init__(
        self,
        node: Node,
        path: str,
        signals: dict[str, Signal],
        on_set: Callable[[str, Any], None] = lambda name, value: None,
    ) -> None:
        """path: io/NODE/DEVICE. on_set: what else happens when a signal is set; runs before the acknowledgement."""
        self.name = path.rpartition("/")[2]
        self.signals = signals
        self._on_set = on_set
        self._lock = threading.RLock()
        self._acknowledged: deque[Time] = deque(maxlen=REMEMBERED_COMMANDS)
        core = "intera_core_msgs"
        self._configuration = node.advertise(f"{path}/config", message(f"{core}/IODeviceConfiguration"), latch=True)
        self._state = node.advertise(f"{path}/state", message(f"{core}/IODeviceStatus"))
        node.subscribe(f"{path}/command", message(f"{core}/IOComponentCommand"), self._on_command)
        self._publish_configuration()

    def publish(self) -> None:
        """The device's state, now."""
        with self._lock:
            status: Any = message("intera_core_msgs/IODeviceStatus")(time=_now(), device=component_status(self.name))
            status.signals = [_data_status(name, signal) for name, signal in self.signals.items()]
            status.commands = list(self._acknowledged)
            self._state.publish(status)

    def _publish_configuration(self) -> None:
        kind, part = (
            message(f"intera_core_msgs/{name}") for name in ("IODeviceConfiguration", "IOComponentConfiguration")
        )
        parts = [part(name=name, config=json.dumps({"type": item.kind})) for name, item in self.signals.items()]
        self._configuration.publish(kind(time=_now(), device=part(name=self.name, config="{}"), signals=parts))

    def _on_command(self, msg: Any) -> None:
        """A command comes again and again until it is acknowledged, but is carried out once."""
        with self._lock:
            if msg.time in self._acknowledged:
                return
            if msg.op == "set":
                for name, given in json.loads(msg.args).get("signals", {}).items():
                    signal = self.signals.get(name)
                    if signal is not None and signal.settable:
                        signal.value = given["data"][0]
                        self._on_set(name, signal.value)
            self._acknowledged.append(msg.time)
        self.publish()


class EmulatedGripper:
    """The electric gripper: fingers that go to a width at a speed, or stop at an object."""

    def __init__(self, node: Node, *, object_width_m: float | None = None) -> None:
        self._object_width_m = object_width_m
        self._opening_m = GRIPPER_STROKE_M
        settable = {
            "position_m": GRIPPER_STROKE_M, "speed_mps": 0.15, "holding_force_n": HOLDING_FORCE_N,
            f"{GRIPPER}_tip_object_kg": 0.0, "dead_zone_m": 0.001,
        }  # fmt: skip
        switches = ("calibrate", "reboot", "go")
        shown = ("has_error", "is_moving", "is_gripping", "is_calibrated")
        signals = {name: Signal("float", value, settable=True) for name, value in settable.items()}
        signals |= {name: Signal("bool", False, settable=True) for name in switches}
        signals |= {name: Signal("bool", False) for name in shown}
        signals |= {name: Signal("float", 0.0) for name in ("position_response_m", "force_response_n")}
        self.device = IoDevice(node, f"io/end_effector/{GRIPPER}", signals, self._on_set)
        self._lock = threading.Lock()

    def turn(self, period_s: float) -> None:
        """Moves the fingers."""
        signals = self.device.signals
        with self._lock:
            narrowest_m = self._object_width_m or 0.0
            target_m = min(max(signals["position_m"].value, 0.0), GRIPPER_STROKE_M)
            reachable_m = max(target_m, narrowest_m)
            step_m = signals["speed_mps"].value * period_s
            way_m = min(max(reachable_m - self._opening_m, -step_m), step_m)
            self._opening_m += way_m if signals["is_calibrated"].value else 0.0
            gripping = self._object_width_m is not None and target_m < narrowest_m and self._opening_m <= narrowest_m
            signals["position_response_m"].value = self._opening_m
            signals["is_moving"].value = abs(way_m) > 0.0 and signals["is_calibrated"].value
            signals["is_gripping"].value = gripping
            signals["force_response_n"].value = signals["holding_force_n"].value if gripping else 0.0

    def _on_set(self, name: str, value: Any) -> None:
        calibrated = self.device.signals["is_calibrated"]
        if name == "calibrate" and value:
            calibrated.value = True
        elif name == "reboot" and value:
            calibrated.value = False
            self.device.signals["has_error"].value = False


class IoBoard:
    """All devices of the robot, published together."""

    def __init__(self, node: Node, *, gripper: bool, object_width_m: float | None) -> None:
        self.gripper = EmulatedGripper(node, object_width_m=object_width_m) if gripper else None
        self.cuff = IoDevice(node, "io/robot/cuff", {name: Signal("bool", False) for name in CUFF})
        wheels = {name: Signal("int", 0) for name in ("right_wheel", "head_wheel")}
        buttons = {name: Signal("int", 0) for name in BUTTONS}
        self.navigator = IoDevice(node, "io/robot/navigator", buttons | wheels)
        self.robot = IoDevice(node, "io/robot/robot", {name: Signal("bool", False, settable=True) for name in LIGHTS})
        self._publish_end_effectors(node)

    def publish(self, period_s: float) -> None:
        """period_s: since the last time."""
        devices = [self.cuff, self.navigator, self.robot]
        if self.gripper is not None:
            self.gripper.turn(period_s)
            devices.append(self.gripper.device)
        for device in devices:
            device.publish()

    def _publish_end_effectors(self, node: Node) -> None:
        """What the robot found on its flange: latched, as it does not change while it runs."""
        part, kind = (
            message(f"intera_core_msgs/{name}") for name in ("IOComponentConfiguration", "IONodeConfiguration")
        )
        attached = [part(name=GRIPPER, config="{}")] if self.gripper is not None else []
        publisher = node.advertise("io/end_effector/config", kind, latch=True)
        publisher.publish(kind(time=_now(), node=part(name="end_effector", config="{}"), devices=attached))
        status = message("intera_core_msgs/IONodeStatus")
        state = node.advertise("io/end_effector/state", status, latch=True)
        devices = [component_status(GRIPPER)] if self.gripper is not None else []
        state.publish(status(time=_now(), node=component_status("end_effector"), devices=devices))


def component_status(name: str) -> Message:
    """A component that works."""
    status = message("intera_core_msgs/IOStatus")(tag="ready", id="io/ready")
    return message("intera_core_msgs/IOComponentStatus")(name=name, status=status)


def _data_status(name: str, signal: Signal) -> Message:
    layout = {"type": signal.kind, "role": "output" if signal.settable else "input"}
    return message("intera_core_msgs/IODataStatus")(
        name=name, format=json.dumps(layout), data=json.dumps([signal.value])
    )


def _now() -> Time:
    return Time.from_nsec(time.time_ns())
