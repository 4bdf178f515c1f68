"""How a command ends: 0 success, 1 a failed check or run, 2 wrong usage."""

from __future__ import annotations

SUCCESS = 0
FAILURE = 1
USAGE = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells expect of a command that Ctrl-C ended."""


class CommandError(Exception):
    """A run or check that failed. The message is all that the operator sees: what was seen, what to do."""

    exit_status = FAILURE


class UsageError(CommandError):
    """What was typed cannot be done, whatever the machine does."""

    exit_status = USAGE
