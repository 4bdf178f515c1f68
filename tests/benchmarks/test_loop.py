"""The loop benchmark runs to its end and reports all that it promises, with tiny counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loop.py"
TINY = ("--quick", "--trips", "10", "--images", "3", "--flood", "50", "--seconds", "2", "--provocations", "2")
TIMEOUT_S = 280
STATES = {"idle", "training"}
WIRES = {"rclpy", "rclpy, no shared memory", "zenoh bytes", "zenoh, our codec", "zenoh, rosbags codec"}
NODES = {"arm_driver", "safety_supervisor", "command_mux", "residual_controller", "observation_node", "policy_node"}

pytestmark = [pytest.mark.session, pytest.mark.timeout(TIMEOUT_S + 10)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the benchmark has written loop.json and loop.md."""
    directory = tmp_path_factory.mktemp("loop")
    outputs = ("--json", str(directory / "loop.json"), "--markdown", str(directory / "loop.md"))
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *TINY, *outputs], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert run.returncode == 0, run.stderr
    return directory


@pytest.fixture(scope="module")
def report(files: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files / "loop.json").read_text())
    return loaded


def names_of(entries: list[dict[str, Any]], section: str) -> dict[str, set[str]]:
    """Name -> states, of one section."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry["section"] == section:
            found.setdefault(entry["name"], set()).add(entry["state"])
    return found


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("control loop", {"picture -> command received", "reading of the arm -> command received"}),
        ("inner loop", {"period of a turn", "lateness of a turn"}),
        ("supervisor", {f"{f} sent -> {a} received" for f in ("workspace", "not_finite") for a in ("HOLD", "FAULT")}),
        ("JointState, there and back", WIRES),
        ("JointState, there and back: the call of publish", WIRES),
        ("Image 640x480x3, one way", WIRES),
        ("JointState, within a process", WIRES),
    ],
)
def test_each_duration_is_reported_idle_and_training(report: dict[str, Any], section: str, names: set[str]) -> None:
    found = names_of(report["durations_ms"], section)
    assert names <= found.keys()
    assert all(found[name] == STATES for name in names)


def test_percentiles_without_enough_samples_are_left_out(report: dict[str, Any]) -> None:
    for row in report["durations_ms"]:
        distribution = row["distribution"]
        assert distribution["count"] > 0
        assert (distribution["p99"] is None) == (distribution["count"] < 100)
        assert (distribution["p999"] is None) == (distribution["count"] < 1000)


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("CPU seconds per second", NODES),
        ("JointState, one way", WIRES),
        ("inner loop", {"turns more than 5 ms late"}),
    ],
)
def test_each_figure_is_reported_idle_and_training(report: dict[str, Any], section: str, names: set[str]) -> None:
    found = names_of(report["figures"], section)
    assert names <= found.keys()
    assert all(found[name] == STATES for name in names)


def test_trainer_works_only_while_it_is_said_to_train(report: dict[str, Any]) -> None:
    assert names_of(report["figures"], "CPU seconds per second")["trainer_node"] == {"training"}
    steps = [f["value"] for f in report["figures"] if f["name"] == "gradient steps"]
    assert steps and min(steps) > 0


def test_page_for_the_documentation_holds_every_section(files: Path, report: dict[str, Any]) -> None:
    page = (files / "loop.md").read_text()
    for row in report["durations_ms"] + report["figures"]:
        assert f"**{row['section']}**" in page
