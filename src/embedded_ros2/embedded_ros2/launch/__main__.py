"""``python -m embedded_ros2.launch FILE [name:=value ...] [--show-args]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from embedded_ros2.launch.errors import LaunchError
from embedded_ros2.launch.launcher import Launcher
from embedded_ros2.launch.loader import declared_arguments, load

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Runs a launch file. Exit status: 0 when no process failed by itself, 1 when one did, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m embedded_ros2.launch", description=__doc__)
    parser.add_argument("file", type=Path, help="YAML launch file")
    parser.add_argument("arguments", nargs="*", metavar="name:=value", help="launch arguments")
    parser.add_argument("-s", "--show-args", action="store_true", help="show the launch arguments and stop")
    options = parser.parse_args(arguments)
    try:
        if options.show_args:
            sys.stdout.write(_described(options.file))
            return EXIT_OK
        processes = load(options.file, _parsed(options.arguments))
        log_file = _log_file()
    except LaunchError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    result = Launcher(processes, log_file=log_file).run()
    return EXIT_FAILED if result.failures else EXIT_OK


def _parsed(arguments: list[str]) -> dict[str, str]:
    parsed = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name:
            raise LaunchError(f"launch argument '{argument}' must be written as name:=value")
        parsed[name] = value
    return parsed


def _described(file: Path) -> str:
    lines = ["Arguments (pass arguments as '<name>:=<value>'):\n"]
    for argument in declared_arguments(file):
        lines.append(f"\n    '{argument.name}':\n        {argument.description or 'no description given'}\n")
        if argument.choices:
            lines.append(f"        one of: {', '.join(argument.choices)}\n")
        default = "required" if argument.default is None else f"default: '{argument.default}'"
        lines.append(f"        ({default})\n")
    return "".join(lines)


def _log_file() -> Path:
    """Returns a log file where ros2 launch keeps its own: below ROS_LOG_DIR, ROS_HOME/log or ~/.ros/log.

    :raises LaunchError: when the directory cannot be made.
    """
    home = Path(os.environ.get("ROS_HOME") or "~/.ros").expanduser() / "log"
    directory = Path(os.environ.get("ROS_LOG_DIR") or home).expanduser()
    directory /= f"{time.strftime('%Y-%m-%d-%H-%M-%S')}-{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(f"cannot make the log directory '{directory}': {error.strerror}; set ROS_LOG_DIR") from error
    return directory / "launch.log"


if __name__ == "__main__":
    sys.exit(main())
