"""The process that moves the arm, whichever robot it is: runs the node of the driver that the robot's file names."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from tenon_graph.node import GraphNode, run


def main(args: list[str] | None = None) -> int:
    """Reads which robot the session has, then becomes its driver's node. Returns the exit status."""
    package = ""

    def look(node: Any) -> None:
        nonlocal package
        package = node.setup.robot.driver.package

    status = run(lambda: GraphNode("arm_driver_choice", start_parameter_services=False), args, spin=look)
    if status or not package:
        return status
    return int(import_module(f"{package}.node").main(args))


if __name__ == "__main__":
    sys.exit(main())
