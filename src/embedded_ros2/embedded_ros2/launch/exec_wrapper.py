"""Runs a program that ends when the launcher ends: ``python exec_wrapper.py LAUNCHER_PID PROGRAM ARGUMENT...``.

Asks the kernel (Linux) to kill this process when its parent ends, however that happens, and becomes the program. The
launcher stops its processes in an orderly way; this is for the launcher that was killed itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
COMMAND_NOT_FOUND = 127
"""Exit status of shells for a program that cannot be started."""


def main() -> int:
    launcher_pid, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher_pid:  # the launcher ended before the kernel was asked
        return 1
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"cannot start '{program[0]}': {error.strerror}\n")
        return COMMAND_NOT_FOUND


if __name__ == "__main__":
    sys.exit(main())
