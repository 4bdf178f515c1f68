"""Whether the simulated cameras can render, and how fast simulation and rendering go here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from tenon.cli.checks.finding import Finding, error, info, ok

GL_PACKAGES = "libegl1 libgl1-mesa-dri libgl1 libgles2 libopengl0"
"""As in scripts/setup.sh."""
INSTALL_GL = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {GL_PACKAGES}"
PROBE = "tenon.cli.checks.gl_probe"
PROBE_TIMEOUT_S = 60.0


def check_graphics(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Renders a frame with what ``environment`` asks for (MUJOCO_GL, by default egl)."""
    environment = {"MUJOCO_GL": "egl", **environment}
    library = environment["MUJOCO_GL"]
    try:
        probe = subprocess.run(
            [sys.executable, "-m", PROBE],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [error("rendering", f"{library}: no frame within {PROBE_TIMEOUT_S:.0f} s", INSTALL_GL)]
    if probe.returncode != 0:
        return [_failed(library, probe)]
    figures = json.loads(probe.stdout.splitlines()[-1])
    return [
        ok("rendering", f"{library}: a frame was rendered by {figures['renderer']}"),
        info("render rate", f"{figures['frames_per_s']:.0f} frames/s of 128 x 128, one small scene"),
        info("simulation rate", f"{figures['steps_per_s']:.0f} steps/s of two bodies in contact"),
    ]


def _failed(library: str, probe: subprocess.CompletedProcess[str]) -> Finding:
    last = probe.stderr.strip().splitlines()[-1:] or [f"ended by signal {-probe.returncode}"]
    remedy = f"Debian, Ubuntu: {INSTALL_GL}"
    if library not in ("egl", "osmesa", "glfw"):
        remedy = "unset MUJOCO_GL, or set it to egl (no screen needed), glfw or osmesa"
    return error("rendering", f"{library}: no frame can be rendered: {last[0]}", remedy)
