"""Versions of what Tenon stands on, and which ROS 2 the nodes would use."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tenon.cli.checks.finding import Finding, error, info, ok, warning

DISTRIBUTION = "tenon"
WIRE = "eclipse-zenoh"
REPORTED = ("torch", "mujoco", "numpy", "gymnasium", "mcap", WIRE)
"""Packages whose version decides whether a session runs; the supported range is that of the installed metadata."""

ROS_PACKAGES = ("tenon_msgs", "tenon_session")
"""Without the first nothing can be imported, without the second nothing can be launched."""
RMW = "rmw_zenoh_cpp"

GPU_QUERY_TIMEOUT_S = 10.0

VersionOf = Callable[[str], str]


def check_python(version: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)) -> Finding:
    supported = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    seen = f"Python {version[0]}.{version[1]}, supported {supported}"
    if SpecifierSet(supported).contains(f"{version[0]}.{version[1]}"):
        return ok("python", seen)
    return error("python", seen, "make the environment with a supported one: PYTHON=/path/to/python make setup")


def check_packages(version_of: VersionOf = importlib.metadata.version) -> list[Finding]:
    """One finding per package of ``REPORTED``, against the range that tenon and embedded-ros2 ask for."""
    ranges = _required_ranges()
    return [_check_package(name, ranges.get(name), version_of) for name in REPORTED]


def _required_ranges() -> dict[str, Requirement]:
    ranges: dict[str, Requirement] = {}
    for distribution in (DISTRIBUTION, "embedded-ros2"):
        try:
            lines = importlib.metadata.requires(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in lines:
            requirement = Requirement(line)
            if requirement.marker is None:
                ranges[requirement.name] = requirement
    return ranges


def _check_package(name: str, required: Requirement | None, version_of: VersionOf) -> Finding:
    wanted = str(required.specifier) if required is not None else "any"
    try:
        version = version_of(name)
    except importlib.metadata.PackageNotFoundError:
        return error(name, f"not installed, supported {wanted}", "make setup")
    seen = f"{version}, supported {wanted}"
    if required is None or required.specifier.contains(Version(version).base_version):
        return ok(name, seen)
    return error(name, seen, f"pip install '{required}'")


def check_torch_device() -> Finding:
    """Whether torch's build fits the machine: a CUDA build without a GPU is gigabytes for nothing."""
    import torch

    gpu = _gpu_name()
    cuda = torch.version.cuda
    if torch.cuda.is_available():
        return ok("torch device", f"CUDA {cuda} on {torch.cuda.get_device_name(0)}")
    if cuda is not None and gpu is None:
        remedy = (
            "works on the CPU; to save the space: pip install torch --index-url https://download.pytorch.org/whl/cpu"
        )
        return warning("torch device", f"CUDA build ({cuda}) of torch, and no GPU on this machine", remedy)
    if cuda is not None:
        remedy = "install a driver for this CUDA version, or a torch build for the driver's: https://pytorch.org"
        return warning("torch device", f"{gpu} is there, but torch (CUDA {cuda}) cannot use it", remedy)
    if gpu is not None:
        version = torch.__version__.split("+")[0]
        remedy = f"the CPU does for small networks; for the GPU: pip install --force-reinstall torch=={version}"
        return warning("torch device", f"{gpu} is there, but torch is a CPU build", remedy)
    return ok("torch device", "CPU build of torch, no GPU")


def _gpu_name() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=GPU_QUERY_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = answer.stdout.strip().splitlines()
    return names[0] if answer.returncode == 0 and names else None


def check_ros(environment: Mapping[str, str], rclpy_origin: str | None) -> list[Finding]:
    """Which rclpy the nodes use, and the trap of a ROS 2 that was sourced for another Python.

    rclpy_origin: the file that `import rclpy` would load, None where there is none.
    """
    findings = []
    foreign = _foreign_ros_python(environment)
    if foreign is not None:
        findings.append(
            warning(
                "ROS 2",
                f"a ROS 2 is sourced for Python {foreign}, this is Python {_python_name()}: its rclpy cannot be "
                "imported here, so the embedded one is used",
                f"to use the real one, make the environment with its Python: PYTHON=python{foreign} VENV=.venv-ros "
                "make setup; to use the embedded one, start from a shell in which no setup.bash was sourced",
            )
        )
    if rclpy_origin is None:
        findings.append(error("rclpy", "cannot be imported", "pip install -e src/embedded_ros2"))
    elif "embedded_ros2" in Path(rclpy_origin).parts:
        findings.append(ok("rclpy", "embedded ROS 2 (no real one can be imported)"))
    else:
        distribution = environment.get("ROS_DISTRO", "unknown distribution")
        findings.append(ok("rclpy", f"real ROS 2 ({distribution}) at {Path(rclpy_origin).parent}"))
        findings += _check_real_ros(environment)
    rmw = environment.get("RMW_IMPLEMENTATION")
    if rmw is not None:
        findings.append(info("RMW_IMPLEMENTATION", rmw))
    return findings


def _check_real_ros(environment: Mapping[str, str]) -> list[Finding]:
    """Whether Tenon's packages are built for it, and whether its middleware is the one that the graph was made for."""
    prefixes = [Path(prefix) for prefix in environment.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
    missing = [name for name in ROS_PACKAGES if not any((prefix / "share" / name).is_dir() for prefix in prefixes)]
    findings = []
    if missing:
        seen = f"not built for this ROS 2, or not sourced: {', '.join(missing)}"
        findings.append(error("ROS 2 packages", seen, "make ros2, then source install/setup.bash"))
    if environment.get("RMW_IMPLEMENTATION") != RMW:
        remedy = f"export RMW_IMPLEMENTATION={RMW}"
        findings.append(warning("RMW_IMPLEMENTATION", f"another middleware than {RMW}, which is not known", remedy))
    return findings


def find_rclpy() -> str | None:
    """The file that `import rclpy` would load."""
    try:
        spec = importlib.util.find_spec("rclpy")
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None


def _foreign_ros_python(environment: Mapping[str, str]) -> str | None:
    paths = environment.get("PYTHONPATH", "").split(":")
    paths += [f"{prefix}/lib/*" for prefix in environment.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
    for path in paths:
        root = Path(path.removesuffix("/*"))
        candidates = root.glob("python3.*/*-packages/rclpy") if path.endswith("/*") else [root / "rclpy"]
        for candidate in candidates:
            match = re.search(r"python(3\.\d+)", str(candidate))
            if candidate.is_dir() and match is not None and match[1] != _python_name():
                return match[1]
    return None


def _python_name() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
