"""Disk, memory, cores and load."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from tenon.cli.checks.finding import Finding, error, ok, warning

GIB = 1 << 30
DISK_ERROR_BYTES = 1 * GIB
DISK_WARNING_BYTES = 5 * GIB
MEMORY_ERROR_BYTES = 2 * GIB
MEMORY_WARNING_BYTES = 4 * GIB
CORES_WANTED = 2
BUSY_LOAD_PER_CORE = 0.5


def existing_parent(path: Path) -> Path:
    """The directory itself, or the nearest one above it that exists."""
    path = path.absolute()
    while not path.is_dir():
        path = path.parent
    return path


def check_disk(run_directory: Path) -> Finding:
    """Free space where the run directory lies, or would lie."""
    usage = shutil.disk_usage(existing_parent(run_directory))
    seen = f"{usage.free / GIB:.1f} GiB free for {run_directory}"
    remedy = "delete or move old runs, or choose another --run-directory"
    if usage.free < DISK_ERROR_BYTES:
        return error("disk", seen, f"a session needs {DISK_ERROR_BYTES / GIB:.0f} GiB or more: {remedy}")
    if usage.free < DISK_WARNING_BYTES:
        return warning("disk", seen, f"enough for short sessions only: {remedy}")
    return ok("disk", seen)


def check_writable(run_directory: Path) -> Finding:
    """Writes and removes a file where runs go, for a permission bit says little on network disks."""
    place = existing_parent(run_directory)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".tenon_doctor_"):
            pass
    except OSError as failure:
        remedy = f"choose another --run-directory, or: sudo chown -R $USER {place}"
        return error("run directory", f"{place} cannot be written: {failure.strerror}", remedy)
    return ok("run directory", f"{place} can be written")


def check_memory() -> Finding:
    available = psutil.virtual_memory().available
    seen = f"{available / GIB:.1f} GiB available"
    remedy = "close other programs; a session with images needs 2 GiB"
    if available < MEMORY_ERROR_BYTES:
        return error("memory", seen, remedy)
    if available < MEMORY_WARNING_BYTES:
        return warning("memory", seen, remedy)
    return ok("memory", seen)


def check_cores() -> list[Finding]:
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    findings = [ok("cores", f"{cores} cores")]
    if cores < CORES_WANTED:
        findings = [
            warning("cores", f"{cores} core", "the inner loop shares it with the trainer: lower real_time_factor")
        ]
    seen = f"load {load:.1f} on {cores} cores"
    if load > BUSY_LOAD_PER_CORE * cores:
        findings.append(warning("load", seen, "other programs will delay the inner loop: close them"))
    else:
        findings.append(ok("load", seen))
    return findings
