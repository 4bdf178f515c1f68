"""The doctor's findings, with the faults injected that they are about."""

from __future__ import annotations

import collections
import importlib.metadata
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tenon.cli import doctor
from tenon.cli.checks import files, graphics, machine, network, software
from tenon.cli.checks.finding import Finding, Severity, error, ok
from tenon.cli.checks.robot import check_detector
from tenon.configuration import ConfigurationError
from tenon.data.episode_lock import lock_episode_file
from tenon.data.episodes import layout_of
from tenon.session.setup import load_setup

Tenon = Callable[..., subprocess.CompletedProcess[str]]
Usage = collections.namedtuple("Usage", "total used free")


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1
    return findings[0]


@pytest.fixture
def foreign_server() -> Iterator[int]:
    """A port on which something listens that is no router and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


# --- software ---------------------------------------------------------------------------------------------------------


def test_supported_versions_are_found_on_this_machine() -> None:
    assert {finding.severity for finding in software.check_packages()} == {Severity.OK}
    assert software.check_python().severity is Severity.OK


def test_old_python_is_an_error_with_a_remedy() -> None:
    finding = software.check_python((3, 10))
    assert finding.severity is Severity.ERROR
    assert "3.10" in finding.seen
    assert "make setup" in finding.remedy


def test_package_outside_its_range_is_an_error() -> None:
    versions = {"mujoco": "3.2.0"}
    findings = software.check_packages(lambda name: versions.get(name) or importlib.metadata.version(name))
    bad = only([finding for finding in findings if finding.severity is Severity.ERROR])
    assert (bad.check, bad.remedy) == ("mujoco", "pip install 'mujoco<5,>=4.0'")


def test_missing_package_is_an_error() -> None:
    def version_of(name: str) -> str:
        if name == "eclipse-zenoh":
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    bad = only([finding for finding in software.check_packages(version_of) if finding.severity is Severity.ERROR])
    assert bad.check == "eclipse-zenoh"
    assert "not installed" in bad.seen


def test_cuda_build_without_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(software, "_gpu_name", lambda: None)
    finding = software.check_torch_device()
    assert finding.severity is Severity.WARNING
    assert "no GPU" in finding.seen


def test_embedded_ros_is_recognised() -> None:
    finding = only(software.check_ros({}, software.find_rclpy()))
    assert finding.severity is Severity.OK
    assert "embedded" in finding.seen


def test_real_ros_is_recognised_and_what_is_not_built_for_it_is_named(tmp_path: Path) -> None:
    origin = "/opt/ros/jazzy/lib/python3.11/site-packages/rclpy/__init__.py"
    environment = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": f"/opt/ros/jazzy:{tmp_path}"}
    real, packages, middleware = software.check_ros(environment, origin)
    assert "real ROS 2 (jazzy)" in real.seen
    assert packages.severity is Severity.ERROR
    assert "tenon_msgs, tenon_session" in packages.seen
    assert "make ros2" in packages.remedy
    assert middleware.severity is Severity.WARNING
    for package in software.ROS_PACKAGES:
        (tmp_path / "share" / package).mkdir(parents=True)
    environment["RMW_IMPLEMENTATION"] = "rmw_zenoh_cpp"
    assert all(found.severity is not Severity.ERROR for found in software.check_ros(environment, origin))


def test_ros_for_another_python_is_the_trap_that_it_is(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.8" / "site-packages"
    (site / "rclpy").mkdir(parents=True)
    for environment in ({"PYTHONPATH": str(site)}, {"AMENT_PREFIX_PATH": str(tmp_path)}):
        findings = software.check_ros(environment, software.find_rclpy())
        assert findings[0].severity is Severity.WARNING
        assert "Python 3.8" in findings[0].seen
        assert "python3.8" in findings[0].remedy


def test_wrong_name_is_told_once_and_not_as_a_failure_of_the_doctor() -> None:
    def check() -> list[Finding]:
        raise ConfigurationError("robots: 'ur10' is unknown")

    (finding,) = doctor.collect([("robot", check), ("camera", check)])
    assert (finding.check, finding.severity) == ("configuration", Severity.ERROR)
    assert finding.seen == "robots: 'ur10' is unknown"


# --- graphics ---------------------------------------------------------------------------------------------------------


def test_a_frame_is_really_rendered() -> None:
    findings = graphics.check_graphics()
    assert [finding.check for finding in findings] == ["rendering", "render rate", "simulation rate"]
    assert findings[0].severity is Severity.OK


def test_missing_gl_names_the_debian_packages() -> None:
    environment = {**os.environ, "MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"}
    finding = only(graphics.check_graphics(environment))
    assert finding.severity is Severity.ERROR
    assert "apt-get install" in finding.remedy
    assert "libegl1" in finding.remedy


def test_unknown_gl_library_names_those_there_are() -> None:
    finding = only(graphics.check_graphics({**os.environ, "MUJOCO_GL": "voodoo"}))
    assert finding.severity is Severity.ERROR
    assert "egl" in finding.remedy


# --- network ----------------------------------------------------------------------------------------------------------


def test_free_port_is_fine() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert network.check_router_port(lambda port: False, port=port).severity is Severity.OK


def test_port_held_by_another_program_is_an_error_that_names_it(foreign_server: int) -> None:
    finding = network.check_router_port(lambda port: False, port=foreign_server)
    assert finding.severity is Severity.ERROR
    assert f"process {os.getpid()}" in finding.seen
    assert "ZENOH_CONFIG_OVERRIDE" in finding.remedy


def test_running_router_is_fine(foreign_server: int) -> None:
    finding = network.check_router_port(lambda port: True, port=foreign_server)
    assert finding.severity is Severity.OK
    assert "router answers" in finding.seen


def test_what_is_no_router_is_told_from_one(foreign_server: int, router: None) -> None:
    from tenon_session import introspection

    endpoint = introspection.router_endpoint()
    assert endpoint is not None
    assert introspection.is_router(endpoint.port)
    assert not introspection.is_router(foreign_server)


@pytest.mark.parametrize("domain", ["-1", "233", "lab"])
def test_bad_domain_is_an_error(domain: str) -> None:
    finding = network.check_domain({"ROS_DOMAIN_ID": domain})
    assert finding.severity is Severity.ERROR
    assert "0 to 232" in finding.remedy


def test_nodes_of_another_session_are_listed() -> None:
    finding = network.check_other_sessions(["/session_manager", "/command_mux"])
    assert finding.severity is Severity.WARNING
    assert "/session_manager" in finding.seen
    assert "ROS_DOMAIN_ID" in finding.remedy


def test_nodes_on_the_graph_are_found(talker: None) -> None:
    from tenon_session import introspection

    assert introspection.nodes_on_graph() == ["/talker"]


# --- machine and files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free_gib", "severity"), [(0.2, Severity.ERROR), (2.0, Severity.WARNING), (50.0, Severity.OK)]
)
def test_full_disk_is_found(
    free_gib: float, severity: Severity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = Usage(100 << 30, 0, int(free_gib * (1 << 30)))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    finding = machine.check_disk(tmp_path / "runs" / "not_there_yet")
    assert finding.severity is severity
    assert f"{free_gib:.1f} GiB" in finding.seen


def test_unwritable_run_directory_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "NamedTemporaryFile", refuse)
    finding = machine.check_writable(tmp_path)
    assert finding.severity is Severity.ERROR
    assert "Permission denied" in finding.seen


def test_checking_for_writing_leaves_nothing(tmp_path: Path) -> None:
    assert machine.check_writable(tmp_path / "runs").severity is Severity.OK
    assert list(tmp_path.iterdir()) == []


def test_all_configuration_files_load() -> None:
    assert only(files.check_configuration()).severity is Severity.OK


@pytest.mark.parametrize(
    "place",
    ["console.yaml", "teleop/mine.yaml", "rewards/mine.yaml", "algorithms/mine.yml", "calibrations/a/v0001.yaml"],
)
def test_every_file_is_opened(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("no_such_key: 1\n")
    finding = only(files.check_configuration(tmp_path))
    assert finding.severity is Severity.ERROR and "no_such_key: unknown key" in finding.seen


@pytest.mark.parametrize("place", ["rewrds/daib.yaml", "mine.yaml"])
def test_file_that_nothing_reads_is_told(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("variant: erm\n")
    finding = only(files.check_configuration(tmp_path))
    assert finding.severity is Severity.WARNING and finding.seen == f"nothing reads {file}"
    assert "rewards, robots" in finding.remedy


@pytest.mark.parametrize(
    ("robot", "reward", "severity"),
    [
        ("sim", "electrical", Severity.OK),
        ("sawyer", "dense", Severity.INFO),
        ("sawyer", "electrical", Severity.WARNING),
    ],
)
def test_stand_without_a_detector_is_told_before_the_first_session(robot: str, reward: str, severity: Severity) -> None:
    setup = load_setup("sim", {"robot": robot, "reward": reward})
    assert check_detector(setup).severity is severity


def test_bad_configuration_file_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "cameras").mkdir()
    file = tmp_path / "cameras" / "wrist.yaml"
    file.write_text("name: wrist\nsource: simulation\nwidth: 64\nheight: 64\nrate: 10.0\n")
    finding = only(files.check_configuration(tmp_path))
    assert finding.severity is Severity.ERROR
    assert "rate: unknown key" in finding.seen
    assert str(file) in finding.remedy


def test_cut_off_recordings_are_found(tmp_path: Path) -> None:
    part = tmp_path / "demo" / "episodes" / "episode_000003.part"
    part.mkdir(parents=True)
    finding = files.check_partial_episodes(tmp_path)
    assert finding.severity is Severity.WARNING
    assert str(part) in finding.seen
    assert f"tenon dataset repair {part}" in finding.remedy


def test_recordings_that_go_on_or_were_repaired_are_not_cut_off(tmp_path: Path) -> None:
    going_on, repaired = (layout_of(tmp_path, number) for number in (1, 2))
    for layout in (going_on, repaired):
        layout.part.mkdir()
    repaired.repaired.finished.mkdir()
    with going_on.part_file.open("w") as file:
        lock_episode_file(file.fileno())
        assert files.check_partial_episodes(tmp_path).severity is Severity.OK
    assert str(going_on.part) in files.check_partial_episodes(tmp_path).seen


def test_no_cut_off_recording_is_fine(tmp_path: Path) -> None:
    assert files.check_partial_episodes(tmp_path / "none").severity is Severity.OK


# --- the command ------------------------------------------------------------------------------------------------------


def test_check_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def broken() -> list[Finding]:
        raise ZeroDivisionError("nobody thought of it")

    findings = doctor.collect([("odd", broken), ("even", lambda: [ok("even", "fine")])])
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.OK]
    assert "nobody thought of it" in findings[0].seen


def test_doctor_exits_1_on_an_error_and_writes_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = error("port", "taken", "free it")
    monkeypatch.setattr(doctor.Doctor, "_checks", lambda self: [("port", lambda: [bad]), ("x", lambda: [ok("x", "y")])])
    file = tmp_path / "findings.json"
    assert doctor.Doctor(json=file).run() == 1
    data = json.loads(file.read_text())
    assert data["ok"] is False
    assert data["findings"][0] == {"check": "port", "severity": "error", "seen": "taken", "remedy": "free it"}


def test_doctor_finds_this_machine_fit_except_for_the_occupied_port(
    tenon: Tenon, foreign_server: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZENOH_CONFIG_OVERRIDE", f'connect/endpoints=["tcp/localhost:{foreign_server}"]')
    file = tmp_path / "findings.json"
    run = tenon("doctor", "--quick", "--json", str(file), cwd=tmp_path)
    assert run.returncode == 1
    errors = [finding for finding in json.loads(file.read_text())["findings"] if finding["severity"] == "error"]
    assert [finding["check"] for finding in errors] == ["router port"]
