"""All that a controller tells and is told over RTDE, by the names and types of Universal Robots' manual."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

REGISTERS = 48
UPPER_RANGE = 24
NOT_FOUND = "NOT_FOUND"
FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "INT32": "i",
    "UINT32": "I",
    "UINT64": "Q",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
}
_NAMES = {
    "DOUBLE": """timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum actual_main_voltage
        actual_robot_voltage actual_robot_current standard_analog_input0 standard_analog_input1 standard_analog_output0
        standard_analog_output1 standard_analog_output_0 standard_analog_output_1 payload speed_slider_fraction""",
    "VECTOR6D": """target_q target_qd target_qdd target_current target_moment actual_q actual_qd actual_current
        joint_control_output actual_TCP_pose actual_TCP_speed actual_TCP_force target_TCP_pose target_TCP_speed
        joint_temperatures actual_joint_voltage ft_raw_wrench payload_inertia actual_current_as_torque
        external_force_torque""",
    "VECTOR3D": "actual_tool_accelerometer payload_cog elbow_position elbow_velocity",
    "UINT64": "actual_digital_input_bits actual_digital_output_bits",
    "INT32": "robot_mode safety_mode",
    "VECTOR6INT32": "joint_mode",
    "UINT32": """runtime_state robot_status_bits safety_status_bits speed_slider_mask output_bit_registers0_to_31
        output_bit_registers32_to_63""",
    "UINT8": """standard_digital_output_mask standard_digital_output configurable_digital_output_mask
        configurable_digital_output tool_digital_output_mask tool_digital_output standard_analog_output_mask
        standard_analog_output_type""",
}
TYPES: dict[str, str] = {
    **{name: kind for kind, names in _NAMES.items() for name in names.split()},
    **{f"{way}_int_register_{i}": "INT32" for way in ("input", "output") for i in range(REGISTERS)},
    **{f"{way}_double_register_{i}": "DOUBLE" for way in ("input", "output") for i in range(REGISTERS)},
}


class Registers:
    """The values. offset: of the registers that the program in use has (24 with the upper range)."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {name: _zero(kind) for name, kind in TYPES.items()}
        self.offset = 0

    def integer(self, index: int) -> int:
        return int(self.values[f"input_int_register_{self.offset + index}"])

    def number(self, index: int) -> float:
        return float(self.values[f"input_double_register_{self.offset + index}"])

    def numbers(self, first: int, count: int = 6) -> list[float]:
        return [self.number(first + index) for index in range(count)]

    def tell_integer(self, index: int, value: int) -> None:
        self.values[f"output_int_register_{self.offset + index}"] = int(value)

    def tell_numbers(self, first: int, values: Sequence[float]) -> None:
        for index, value in enumerate(values):
            self.values[f"output_double_register_{self.offset + first + index}"] = float(value)

    def forget_command(self) -> None:
        self.values[f"input_int_register_{self.offset}"] = 0


class Recipe:
    """A list of variables as one packet carries them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.types = tuple(TYPES.get(name, NOT_FOUND) for name in self.names)
        self._format = ">" + "".join(FORMATS.get(kind, "") for kind in self.types)
        self._fields = [struct.Struct(f">{FORMATS.get(kind, '')}") for kind in self.types]

    def pack(self, values: dict[str, Any]) -> bytes:
        flat: list[Any] = []
        for name in self.names:
            value = values[name]
            if isinstance(value, list):
                flat.extend(value)
            else:
                flat.append(value)
        return struct.pack(self._format, *flat)

    def unpack_into(self, data: bytes, values: dict[str, Any]) -> None:
        """As many variables as the data hold: ur-rtde leaves out the last ones where a command has no use for them."""
        at = 0
        for name, field in zip(self.names, self._fields, strict=True):
            if at + field.size > len(data):
                return
            numbers = field.unpack_from(data, at)
            values[name] = numbers[0] if len(numbers) == 1 else list(numbers)
            at += field.size


def _zero(kind: str) -> Any:
    values = struct.unpack(f">{FORMATS[kind]}", bytes(struct.calcsize(f">{FORMATS[kind]}")))
    return values[0] if len(values) == 1 else list(values)
