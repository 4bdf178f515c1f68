"""What controllers of several ages say of themselves, through ur-rtde's dashboard client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tenon.cli.checks.finding import Severity
from tenon_ur5.checks import check
from tenon_ur5.config import DriverSettings
from tenon_ur5.emulated.dashboard import DASHBOARD_PORT, DashboardSession
from tenon_ur5.emulated.ports import Ports
from tenon_ur5.link import ask_dashboard
from tenon_ur5.stops import refusal_of

from .conftest import address

ALWAYS = {"robotmode": "Robotmode: RUNNING", "safetymode": "Safetymode: NORMAL"}
SINCE_3_12 = {**ALWAYS, "get robot model": "UR5", "safetystatus": "Safetystatus: NORMAL"}
SINCE_5_6 = {**SINCE_3_12, "is in remote control": "true"}


@contextmanager
def dashboard(version: str, answers: dict[str, str]) -> Iterator[str]:
    """A dashboard that understands these commands only; gives its address."""
    said = {**answers, "polyscopeversion": version}
    commands = {command: (lambda words=words: words) for command, words in said.items()}
    ports, over = Ports(address(3), {DASHBOARD_PORT: lambda link: DashboardSession(link, commands)}), threading.Event()

    def serve() -> None:
        while not over.wait(0.005):
            ports.serve()

    ports.open()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield address(3)
    finally:
        over.set()
        thread.join()
        ports.close()


@pytest.mark.parametrize(
    ("version", "answers", "software"),
    [
        ("URSoftware 3.5.3.10825 (Nov 29 2017)", ALWAYS, 3),
        ("URSoftware 3.15.8.106339 (Nov 01 2022)", SINCE_3_12, 3),
        ("URSoftware 3.3", ALWAYS, 3),
        ("URSoftware 5.1.2.1101534 (Jan 15 2019)", ALWAYS, 5),
        ("URSoftware 5.4.3.529 (Jul 15 2019)", SINCE_3_12, 5),
        ("URSoftware 5.12.6.1102099 (Nov 01 2022)", SINCE_5_6, 5),
    ],
)
def test_controller_is_taken_whatever_its_software_cannot_tell(
    version: str, answers: dict[str, str], software: int
) -> None:
    with dashboard(version, answers) as host:
        controller = ask_dashboard(host)
    assert refusal_of(controller, software) == ""
    assert (controller.robot_mode, controller.safety_mode) == ("RUNNING", "NORMAL")


def test_another_model_and_local_control_are_refused() -> None:
    with dashboard("URSoftware 5.12.6.1102099 (Nov 01 2022)", {**SINCE_5_6, "get robot model": "UR10"}) as host:
        assert "it is a UR10" in refusal_of(ask_dashboard(host), 5)
    with dashboard("URSoftware 5.22.0.1214383 (Mar 20 2025)", {**SINCE_5_6, "get robot model": "UR7e"}) as host:
        assert "UR5e (e-Series, `arm: ur5e`) and no other model" in refusal_of(ask_dashboard(host), 5)
    with dashboard("URSoftware 5.12.6.1102099 (Nov 01 2022)", {**SINCE_5_6, "is in remote control": "false"}) as host:
        assert "local control" in refusal_of(ask_dashboard(host), 5)


@pytest.mark.parametrize("software", [3, 5])
def test_polyscope_x_is_not_taken_for_a_wrong_series(software: int) -> None:
    with dashboard("URSoftware 10.11.0.1 (Nov 01 2025)", SINCE_5_6) as host:
        refusal = refusal_of(ask_dashboard(host), software)
    assert "PolyScope X" in refusal and "set series" not in refusal


def test_doctor_names_where_closed_ports_are_enabled() -> None:
    """As shipped a newer e-Series has some of its services disabled."""
    with dashboard("URSoftware 5.12.6.1102099 (Nov 01 2022)", SINCE_5_6) as host:
        (finding,) = check(DriverSettings(host=host, series="e-series"))
    assert "30004 (RTDE)" in finding.seen and "Settings, Security, Services" in finding.remedy


def test_doctor_takes_reduced_limits_for_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenon_ur5.checks.reachable", lambda *_: True)
    monkeypatch.setattr("tenon_ur5.checks.sends_readings", lambda *_: True)
    answers = {**SINCE_3_12, "safetymode": "Safetymode: REDUCED", "safetystatus": "Safetystatus: REDUCED"}
    with dashboard("URSoftware 3.15.8.106339 (Nov 01 2022)", answers) as host:
        findings = check(DriverSettings(host=host, series="cb3"))
    assert {finding.severity for finding in findings} == {Severity.OK}
