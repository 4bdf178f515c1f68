"""What a person may do with a device, in words."""

from __future__ import annotations

from tenon.configuration.teleop import KeyboardConfig, TeleopConfig

_PURPOSES = {
    "hold_to_run": "hold to move",
    "success": "success",
    "failure": "failure",
    "discard": "discard",
    "hand_back": "hand back",
    "gripper": "gripper",
}


def legend(config: TeleopConfig) -> str:
    """One line: axes of the base and what moves the arm along them, buttons and what they are for."""
    device = config.device
    parts = []
    for name, axis in config.axes.items():
        source = axis.source
        if isinstance(device, KeyboardConfig):
            keys = device.axes[source]
            source = f"{keys.plus}/{keys.minus}" if axis.sign > 0 else f"{keys.minus}/{keys.plus}"
        parts.append(f"{name} {source}")
    for role, button in config.buttons.model_dump().items():
        if button is not None:
            shown = device.buttons[button] if isinstance(device, KeyboardConfig) else button
            parts.append(f"{_PURPOSES[role]} {shown}")
    return ", ".join(parts)
