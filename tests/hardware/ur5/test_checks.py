"""`tenon doctor --robot ur5`: each thing that keeps it from moving, with what to do."""

from __future__ import annotations

import pytest

from tenon.cli.checks.finding import Severity
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_ur5.checks import check
from tenon_ur5.config import DriverSettings

from .conftest import address, heal


def settings(**changes: object) -> DriverSettings:
    return DriverSettings.model_validate({"host": address(0), "series": "cb3", **changes})


def test_well_device_has_nothing_to_complain_of(device: EmulatorProcess) -> None:
    heal(device)
    findings = check(settings())
    assert {finding.severity for finding in findings} == {Severity.OK}
    assert "3.15.8" in " ".join(finding.seen for finding in findings)


@pytest.mark.parametrize(
    ("accident", "words"),
    [
        ("safety.protective_stop", "PROTECTIVE_STOP"),
        ("safety.power_off", "brakes"),
        ("pull_cable", "ping"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(device: EmulatorProcess, accident: str, words: str) -> None:
    heal(device)
    device.call(accident)
    worst = [finding for finding in check(settings()) if finding.severity is Severity.ERROR]
    assert len(worst) == 1 and words in f"{worst[0].seen} {worst[0].remedy}"
    heal(device)


def test_wrong_series_is_said(device: EmulatorProcess) -> None:
    heal(device)
    assert any("set series to cb3" in finding.remedy for finding in check(settings(series="e-series")))
