"""The process around a physical arm's driver: what crashed begins anew, what was told to stop does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tenon.control.drivers import START_ANEW_STATUS
from tenon_session import arm_driver


def program(path: Path, first: str) -> list[str]:
    """Does ``first`` at its first start, and ends with status 3 at the second."""
    text = f"import os, sys, pathlib\nmark = pathlib.Path({str(path)!r})\n"
    text += f"if mark.exists(): sys.exit(3)\nmark.touch()\n{first}\n"
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("first", ["os.abort()", f"os._exit({START_ANEW_STATUS})", "os.kill(os.getpid(), 14)"])
def test_driver_whose_library_brought_it_down_is_started_anew(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arm_driver, "PAUSE_S", 0.0)
    assert arm_driver.keep(program(tmp_path / "mark", first)) == 3
    assert "started anew" in capfd.readouterr().err


@pytest.mark.parametrize(("first", "status"), [("sys.exit(2)", 2), ("os.kill(os.getpid(), 9)", 137)])
def test_driver_that_ended_by_a_decision_stays_ended(first: str, status: int, tmp_path: Path) -> None:
    assert arm_driver.keep(program(tmp_path / "mark", first)) == status


def test_driver_that_crashes_again_and_again_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arm_driver, "PAUSE_S", 0.0)
    monkeypatch.setattr(arm_driver, "CRASHES_MAX", 2)
    assert arm_driver.keep([sys.executable, "-c", "import os; os.abort()"]) == 134
    assert "2 times in a row" in capfd.readouterr().err
