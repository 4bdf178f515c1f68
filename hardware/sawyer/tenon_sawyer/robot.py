"""A person's words to a Sawyer: python -m tenon_sawyer.robot {state,enable,disable,reset,stop,gripper}"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from tenon_sawyer import shim
from tenon_sawyer.ros1.node import DEFAULT_MASTER, AddressError, Node
from tenon_sawyer.ros1.process import HOST_VARIABLES, MASTER_VARIABLE
from tenon_sawyer.ros1.xmlrpc import CallError

WORDS = ("state", "enable", "disable", "reset", "stop", "gripper")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 the robot did not follow, 2 it cannot be reached."""
    parser = argparse.ArgumentParser(prog="python -m tenon_sawyer.robot", description="Enable, stop and ask a Sawyer.")
    parser.add_argument("word", choices=WORDS)
    parser.add_argument("--master", default=os.environ.get(MASTER_VARIABLE, DEFAULT_MASTER), help="ROS_MASTER_URI")
    host = next((os.environ[key] for key in HOST_VARIABLES if os.environ.get(key)), None)
    parser.add_argument("--host", default=host, help="this machine's address in the robot's network (ROS_IP)")
    given = parser.parse_args(arguments)
    try:
        node = Node(f"/tenon_robot_{os.getpid()}", given.master, host=given.host)
    except AddressError as error:
        return _fail(error, 2)
    except (CallError, OSError) as error:
        return _fail(f"no robot at {given.master}: {error}", 2)
    try:
        _do(given.word, node)
    except (OSError, CallError) as error:
        return _fail(getattr(error, "strerror", None) or error, 1)
    finally:
        node.close()
    return 0


def _do(word: str, node: Node) -> None:
    shim.provide()
    import intera_interface

    if word == "gripper":
        gripper = intera_interface.Gripper(node=node)
        _say(f"calibrated: {gripper.is_calibrated()}, opening {1e3 * gripper.get_position():.1f} mm")
        return
    enable = intera_interface.RobotEnable(node=node)
    if word != "state":
        getattr(enable, word)()
    _say(_describe(enable.state()))


def _describe(state: Any) -> str:
    words = [name for name in ("ready", "enabled", "stopped", "error", "homed") if getattr(state, name)]
    button = ("not pressed", "pressed", "unknown", "released, reset needed")[state.estop_button]
    return f"{', '.join(words) or 'disabled'}; emergency stop {button}"


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the command's answer


def _fail(text: object, status: int) -> int:
    print(f"error: {text}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
