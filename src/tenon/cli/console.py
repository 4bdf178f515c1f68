"""Where commands write: results to stdout, everything said about the work to stderr."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from tenon.cli.errors import CommandError

FILE_WIDTH = 120
"""Of tables that go to a file or a pipe."""

OUT = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
ERR = Console(stderr=True, highlight=False)


def write_line(text: str) -> None:
    """One line of output for other programs: no markup, no wrapping."""
    OUT.print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """One line about what happens."""
    ERR.print(text, markup=False, soft_wrap=True)


def write_result(path: Path | None, data: Any) -> None:
    """The result of a command for --json, where it was given. Raises CommandError: what was printed stands."""
    if path is None:
        return
    try:
        write_json(path, data)
    except (OSError, ValueError) as error:
        raise CommandError(f"--json {path}: cannot be written: {error}. The result stands above") from error


def write_json(path: Path, data: Any) -> None:
    """Writes JSON so that the file is there whole or not at all: beside, fsync, rename. Raises ValueError for NaN."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all. Creates its directory. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)
