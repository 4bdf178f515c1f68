"""A person's hand on a device, by word of a test."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import yaml

from tenon.control.teleop.device import DeviceError, DeviceState

SPEED_M_S = 0.03
LEAD_M = 0.004
RATE_HZ = 20.0


class Hand:
    """Stands where an input device does; what it does is set from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._axes: dict[str, float] = {}
        self._pressed: set[str] = set()
        self._plugged = True

    def open(self) -> None:
        if not self._plugged:
            raise DeviceError("no hand: put it back")

    def read(self) -> DeviceState:
        with self._lock:
            if not self._plugged:
                raise DeviceError("the hand is gone: put it back")
            state = DeviceState(dict(self._axes), frozenset(self._pressed))
            self._pressed.clear()
            return state

    def close(self) -> None:
        pass

    def push(self, **axes: float) -> None:
        """Deflections that stay until the next push; none: lets go."""
        with self._lock:
            self._axes = axes

    def press(self, button: str) -> None:
        """Down, seen once, and up."""
        with self._lock:
            self._pressed.add(button)

    def plug(self, *, into: bool) -> None:
        with self._lock:
            self._plugged = into


def hand_configuration(directory: Path, **changes: Any) -> Path:
    """A device's file for a ``Hand``: axes x, y, z and a button for every purpose."""
    purposes = ("hand_back", "success", "failure", "discard", "gripper")
    path = directory / "hand.yaml"
    content = {
        "device": {
            "kind": "gamepad",
            "axes": {"x": 0, "y": 1, "z": 2},
            "buttons": {name: number for number, name in enumerate(purposes)},
        },
        "rate_hz": RATE_HZ,
        "axes": {name: {"source": name} for name in ("x", "y", "z")},
        "speed_m_s": SPEED_M_S,
        "lead_m": LEAD_M,
        "hand_back_after_s": 30.0,
        "buttons": {name: name for name in purposes},
        **changes,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def session_by_hand(directory: Path, **changes: Any) -> dict[str, Any]:
    """A session at the pace of a real arm, without a hand-written controller or pictures, in which a ``Hand`` may act.

    A person's commands come by their own clock, so a session as fast as it can would outrun them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    step_m = LEAD_M
    alone = {"base": None, "authority_m": [step_m] * 3, "step_limit_m": step_m, "fence": None}
    task = directory / "by_hand.yaml"
    task.write_text(
        yaml.safe_dump({"connector": "easy", "horizon_steps": 100, "start_height_m": 0.024, "residual": alone})
    )
    algorithm = directory / "small.yaml"
    learner = {"method": "sac", "batch_size": 16, "warmup_transitions": 30, "algorithm": {"hidden_sizes": [8, 8]}}
    algorithm.write_text(yaml.safe_dump({**learner, "replay": {"capacity": 1000}}))
    return {
        "name": "by-hand",
        "robot": "sim",
        "task": str(task),
        "controller": "policy",
        "algorithm": str(algorithm),
        "episodes": 1,
        "teleop": str(hand_configuration(directory)),
        "operator": "ada",
        "lockstep_timeout_s": 5.0,
        "stream_timeout_s": 5.0,
        "reset": {"withdraw_m": 0.024},
        "tare": {"window_s": 0.3, "samples_min": 15},
        **changes,
    }
