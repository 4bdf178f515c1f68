"""The process that moves the arm, whichever robot it is: runs the node of the driver that the robot's file names.

A physical arm's driver holds its vendor's library, which may bring the process down (a broken packet is enough). It
runs in a child then, and is started anew: the device's own watchdog has stopped the arm meanwhile, the supervisor has
latched, and nothing moves before a person clears it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

from tenon.configuration.robot import RobotConfig
from tenon.control.drivers import START_ANEW_STATUS
from tenon_graph.node import GraphNode, run
from tenon_session.graph import die_with_parent

CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGALRM)
"""What a library does to its process (the last: it hung, see tenon_control.real_arm); SIGKILL is somebody's wish."""
PAUSE_S = 1.0
CRASHES_MAX = 5
"""In a row, each less than CALM_S after its start: then it is left alone."""
CALM_S = 30.0


def main(args: Sequence[str] | None = None) -> int:
    """Reads which robot the session has, then becomes its driver's node. Returns the exit status."""
    found: list[RobotConfig] = []

    def look(node: Any) -> None:
        found.append(node.setup.robot)

    given = list(sys.argv[1:] if args is None else args)
    status = run(lambda: GraphNode("arm_driver_choice", start_parameter_services=False), given, spin=look)
    if status or not found:
        return status
    module = f"{found[0].driver.package}.node"
    if found[0].time == "simulated":
        return int(import_module(module).main(given))
    return keep([sys.executable, "-m", module, *given])


def keep(command: Sequence[str]) -> int:
    """Runs a program to its end, again where it crashed. Returns its exit status."""
    crashes = 0
    while True:
        begun_s = time.monotonic()
        status, told = _run(command)
        if told or (status != START_ANEW_STATUS and -status not in CRASHES):
            return status if status >= 0 else 128 - status
        crashes = 1 if time.monotonic() - begun_s > CALM_S else crashes + 1
        name = "its library hangs" if status > 0 else signal.Signals(-status).name
        if crashes >= CRASHES_MAX:
            _say(f"the driver has ended {crashes} times in a row ({name}): see its last words above")
            return status if status > 0 else 128 - status
        _say(f"the driver has ended ({name}), the device's watchdog holds the arm: it is started anew")
        time.sleep(PAUSE_S)


def _run(command: Sequence[str]) -> tuple[int, bool]:
    """Exit status, and whether the program was told to stop; signals to this process are handed on to it."""
    told = False
    # A group of its own: what is sent to all of the launcher's would reach it twice, and cut its leave short.
    child = subprocess.Popen(command, preexec_fn=die_with_parent(), process_group=0)

    def hand_on(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        child.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait(), told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(f"error: {text}", file=sys.stderr, flush=True)  # noqa: T201 - it has no node of its own


if __name__ == "__main__":
    sys.exit(main())
