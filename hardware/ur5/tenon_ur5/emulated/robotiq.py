"""A Robotiq gripper as its URCap offers it on port 63352: SET and GET of named bytes."""

from __future__ import annotations

from tenon_ur5.emulated.ports import Connection

GRIPPER_PORT = 63352
SPEED_PER_S = 400.0
"""Counts of 255 a second at full speed."""
ACTIVATION_S = 0.5


class RobotiqGripper:
    """The gripper's registers: ACT activation, GTO go, POS, PRE, SPE, FOR, STA status, OBJ object, FLT fault."""

    def __init__(self) -> None:
        self.values = {"ACT": 0, "GTO": 0, "ATR": 0, "ADR": 0, "FOR": 0, "SPE": 0, "POS": 0}
        self.position = 0.0
        self.object_at: int | None = None
        """Where the fingers meet something; None: they meet nothing."""
        self.fault = 0
        """Keeps it from being active until ACT has fallen."""
        self._activated_s = 0.0
        self._object = 3

    def advance(self, period_s: float) -> None:
        """Lets time pass."""
        if not self.values["ACT"]:
            self._activated_s, self.fault = 0.0, 0
            return
        if self.fault:
            self._activated_s = 0.0
            return
        self._activated_s += period_s
        if self._activated_s < ACTIVATION_S or not self.values["GTO"]:
            return
        target, way = float(self.values["POS"]), SPEED_PER_S * max(1, self.values["SPE"]) / 255.0 * period_s
        reach = target if self.object_at is None else min(target, float(self.object_at))
        step = max(-way, min(way, reach - self.position))
        self.position += step
        held = reach < target
        self._object = 0 if abs(self.position - reach) > 0.5 else (2 if held else 3)

    def answer(self, line: str) -> str:
        """The answer to one line of the protocol."""
        words = line.split()
        if len(words) == 2 and words[0] == "GET":
            value = self._value(words[1])
            return "?" if value is None else f"{words[1]} {value}"
        if len(words) >= 3 and words[0] == "SET":
            for name, value in zip(words[1::2], words[2::2], strict=False):
                if name in self.values and value.isdigit():
                    self.values[name] = min(255, int(value))
            self._object = 0 if self.values["GTO"] else self._object
            return "ack"
        return "?"

    def _value(self, name: str) -> int | None:
        ready = self._activated_s >= ACTIVATION_S
        status = {"STA": (3 if ready else 1) if self.values["ACT"] else 0, "OBJ": self._object, "FLT": self.fault}
        if name == "POS":
            return round(self.position)
        if name == "PRE":
            return self.values["POS"]
        return status.get(name, self.values.get(name))


class GripperSession:
    """One client of the gripper."""

    def __init__(self, connection: Connection, gripper: RobotiqGripper) -> None:
        self._connection, self._gripper = connection, gripper
        self._buffer = b""

    def on_bytes(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            answer = self._gripper.answer(line.decode(errors="replace").strip())
            self._connection.send(f"{answer}\n".encode())
