"""IO devices of the robot: signals and ports that are read and set as JSON over three topics."""

from __future__ import annotations

import copy
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.messages import Message
from tenon_sawyer.ros1.node import Node
from tenon_sawyer.ros1.time import Time

__all__ = ["IOCommand", "IODeviceInterface", "SetCommand"]

LOG = logging.getLogger("intera_io")
STATE_TIMEOUT_S = 5.0
REPEAT_S = 0.1


class IOCommand:
    """An operation with its arguments."""

    def __init__(self, op: str, args: dict[str, Any] | None = None) -> None:
        self.time = Time()
        self.op = op
        self.args = args or {}

    def as_msg(self, now: bool | None = None) -> Message:
        """The message, stamped now if it has no stamp yet; now: True stamps it anew, False clears the stamp."""
        if now or (now is None and self.time.is_zero()):
            self.time = _now()
        elif now is False:
            self.time = Time()
        return message("intera_core_msgs/IOComponentCommand")(time=self.time, op=self.op, args=json.dumps(self.args))


class SetCommand(IOCommand):
    """Sets signals or ports."""

    def __init__(self, args: dict[str, Any] | None = None) -> None:
        super().__init__("set", args)

    def set_signal(self, signal_name: str, data_type: str, *signal_value: Any) -> SetCommand:
        return self._set("signals", signal_name, data_type, signal_value)

    def set_port(self, port_name: str, data_type: str, *port_value: Any) -> SetCommand:
        return self._set("ports", port_name, data_type, port_value)

    def _set(self, group: str, name: str, data_type: str, values: tuple[Any, ...]) -> SetCommand:
        layout: dict[str, Any] = {"type": data_type}
        if len(values) > 1:
            layout["dimensions"] = [len(values)]
        self.args.setdefault(group, {})[name] = {"format": layout, "data": list(values)}
        return self


class IODeviceInterface:
    """One device below a node of the robot: /io/NODE/DEVICE/{config,state,command}."""

    def __init__(self, node_name: str, dev_name: str, *, node: Node | None = None) -> None:
        """Waits for the device's state for five seconds; raises OSError where none comes."""
        self._node = node or process.node()
        self._path = f"/io/{node_name}/{dev_name}"
        self._lock = threading.Lock()
        self._signals: dict[str, dict[str, Any]] = {}
        self._ports: dict[str, dict[str, Any]] = {}
        self._pollers: dict[str, threading.Event] = {}
        self.config: Any = None
        self.state: Any = None
        self.config_changed = intera_dataflow.Signal()
        self.state_changed = intera_dataflow.Signal()
        self._publisher = self._node.advertise(f"{self._path}/command", message("intera_core_msgs/IOComponentCommand"))
        config, state = message("intera_core_msgs/IODeviceConfiguration"), message("intera_core_msgs/IODeviceStatus")
        self._node.subscribe(f"{self._path}/config", config, self._on_config)
        self._node.subscribe(f"{self._path}/state", state, self._on_state)
        intera_dataflow.wait_for(
            lambda: self.state is not None,
            timeout=STATE_TIMEOUT_S,
            timeout_msg=f"nothing comes on {self._path}/state: is the device attached and the robot running?",
        )

    def list_signal_names(self) -> list[str]:
        return self._names(self._signals)

    def get_signal_type(self, signal_name: str) -> str | None:
        return self._part(self._signals, signal_name, "type")

    def get_signal_value(self, signal_name: str) -> Any:
        """The present value; None where there is no such signal."""
        return self._part(self._signals, signal_name, "data")

    def set_signal_value(
        self, signal_name: str, signal_value: Any, signal_type: str | None = None, timeout: float = 5.0
    ) -> bool:
        """Whether the device has acknowledged the value in time; False, with a line in the log, for no such signal."""
        return self._set("signal", self._signals, signal_name, signal_value, signal_type, timeout)

    def list_port_names(self) -> list[str]:
        return self._names(self._ports)

    def get_port_type(self, port_name: str) -> str | None:
        return self._part(self._ports, port_name, "type")

    def get_port_value(self, port_name: str) -> Any:
        """The present value; None where there is no such port."""
        return self._part(self._ports, port_name, "data")

    def set_port_value(
        self, port_name: str, port_value: Any, port_type: str | None = None, timeout: float = 5.0
    ) -> bool:
        """As ``set_signal_value``."""
        return self._set("port", self._ports, port_name, port_value, port_type, timeout)

    def is_valid(self) -> bool:
        """Whether configuration and state have been heard."""
        return self.config is not None and self.state is not None

    def publish_command(self, op: str, args: dict[str, Any], timeout: float | None = 2.0) -> bool:
        """Sends a command until the device acknowledges its stamp. timeout: seconds; None: sent once, unconfirmed."""
        stamp = _now()
        command = message("intera_core_msgs/IOComponentCommand")(time=stamp, op=op, args=json.dumps(args))
        if timeout is None:
            self._publisher.publish(command)
            return True
        acknowledged = intera_dataflow.wait_for(
            lambda: self.state is not None and stamp in self.state.commands,
            timeout=timeout,
            raise_on_error=False,
            rate=1.0 / REPEAT_S,
            body=lambda: self._publisher.publish(command),
        )
        if not acknowledged:
            LOG.warning("%s has not acknowledged %r within %g s", self._path, op, timeout)
        return acknowledged

    def register_callback(
        self, callback_function: Callable[[Any], Any], signal_name: str, poll_rate: float = 10
    ) -> str:
        """Calls back with each new value of a signal, looked at ``poll_rate`` times a second.

        Returns an identifier for ``deregister_callback``; an empty string where there is no such signal.
        """
        if signal_name not in self.list_signal_names():
            return ""
        identifier, stopped = str(uuid.uuid4()), threading.Event()
        self._pollers[identifier] = stopped

        def poll() -> None:
            old = self.get_signal_value(signal_name)
            while not stopped.wait(1.0 / poll_rate) and not process.is_shutdown():
                new = self.get_signal_value(signal_name)
                if new != old:
                    old = new
                    callback_function(new)

        threading.Thread(target=poll, daemon=True, name=f"poll-{signal_name}").start()
        return identifier

    def deregister_callback(self, callback_id: str) -> bool:
        """Whether there was such a callback."""
        stopped = self._pollers.pop(callback_id, None)
        if stopped is not None:
            stopped.set()
        return stopped is not None

    def _on_config(self, msg: Any) -> None:
        changed = self.config is None or msg.time != self.config.time
        self.config = msg
        if changed:
            self.config_changed()

    def _on_state(self, msg: Any) -> None:
        with self._lock:
            for known, items in ((self._ports, msg.ports), (self._signals, msg.signals)):
                known |= {item.name: _decoded(item) for item in items}
            changed = self.state is None or msg.time != self.state.time
            self.state = msg
        if changed:
            self.state_changed()

    def _names(self, known: dict[str, dict[str, Any]]) -> list[str]:
        with self._lock:
            return list(known)

    def _part(self, known: dict[str, dict[str, Any]], name: str, part: str) -> Any:
        with self._lock:
            return copy.deepcopy(known[name][part]) if name in known else None

    def _set(
        self, group: str, known: dict[str, dict[str, Any]], name: str, value: Any, kind: str | None, timeout: float
    ) -> bool:
        kind = kind or self._part(known, name, "type")
        if kind is None or name not in known:
            LOG.error("%s has no %s %r; it has: %s", self._path, group, name, ", ".join(self._names(known)) or "none")
            return False
        command = SetCommand()
        (command.set_signal if group == "signal" else command.set_port)(name, kind, value)
        return self.publish_command(command.op, command.args, timeout=timeout)


def _decoded(item: Any) -> dict[str, Any]:
    layout, data = json.loads(item.format), json.loads(item.data)
    return {"type": layout.get("type"), "role": layout.get("role"), "data": data[0] if data else None}


def _now() -> Time:
    return Time.from_nsec(time.time_ns())
