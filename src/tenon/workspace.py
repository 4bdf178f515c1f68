"""Where this checkout keeps its ROS packages, for the embedded ROS 2's package index."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("ros2_ws/src", "hardware")


def directories() -> list[Path]:
    """Folders with packages below them; none where Tenon is not run from a checkout."""
    return [path for folder in _FOLDERS if (path := _ROOT / folder).is_dir()]
