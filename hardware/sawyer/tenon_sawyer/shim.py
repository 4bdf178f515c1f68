"""Makes ``intera_interface`` importable, and runs scripts that are written for it.

    python -m tenon_sawyer.shim SCRIPT [ARGUMENTS]

The package's folders stand last on the path: where the vendor's SDK or a ROS 1 is installed, those are used.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

SHIM = Path(__file__).resolve().parent / "intera_shim"
FACADE = SHIM / "ros1_facade"
"""rospy and ROS 1 message packages. Never in a process with rclpy, where these names are ROS 2's."""
USAGE = "usage: python -m tenon_sawyer.shim SCRIPT [ARGUMENTS]"


def provide() -> None:
    """``import intera_interface`` works from now on."""
    _append(SHIM)


def provide_ros1() -> None:
    """``import rospy`` and the robot's message packages work from now on too, for scripts."""
    _append(SHIM)
    _append(FACADE)


def _append(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def main(arguments: list[str]) -> int:
    if not arguments or not Path(arguments[0]).is_file():
        print(f"error: no such script: {arguments[0]}" if arguments else USAGE, file=sys.stderr)  # noqa: T201
        return 2
    script = Path(arguments[0])
    provide_ros1()
    sys.argv = list(arguments)
    sys.path.insert(0, str(script.resolve().parent))
    from tenon_sawyer.ros1 import process

    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:  # as the interpreter ends it would be too late: hooks start threads
        process.shutdown("the script has ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
