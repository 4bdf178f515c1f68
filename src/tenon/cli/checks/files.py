"""Configuration files that do not load, and episodes that were cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tenon.cli.checks.finding import Finding, error, ok, warning

LISTED = 5


def check_configuration(files: Iterable[Path], load: Callable[[Path], object]) -> list[Finding]:
    """Loads every file with the model of its folder. load raises ConfigurationError for a bad one."""
    from tenon.configuration import ConfigurationError

    findings, loaded = [], 0
    for path in files:
        try:
            load(path)
        except ConfigurationError as failure:
            findings.append(error("configuration", str(failure), f"correct {path}"))
        else:
            loaded += 1
    if not findings:
        findings.append(ok("configuration", f"{loaded} files load"))
    return findings


def check_partial_episodes(runs: Path) -> Finding:
    """Recordings that a crash or a full disk cut off."""
    partial = sorted(path for path in runs.glob("**/*.part") if path.is_dir())
    if not partial:
        return ok("episodes", f"no cut-off recording under {runs}")
    names = ", ".join(str(path) for path in partial[:LISTED]) + (" ..." if len(partial) > LISTED else "")
    return warning("episodes", f"{len(partial)} cut-off recordings: {names}", f"recover them: {repair_remedy()}")


def repair_remedy() -> str:
    return "python -m tenon.data.repair EPISODE.part keeps all whole messages"
