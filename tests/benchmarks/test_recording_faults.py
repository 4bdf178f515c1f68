"""Recorders that are killed, disks that are full, cameras and clocks that fail: a few cases of the benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "recording_faults.py"
KILLS, OTHERS = 8, 2
TIMEOUT_S = 240

pytestmark = pytest.mark.timeout(TIMEOUT_S + 10)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("faults") / "faults.json"
    counts = ("--kills", str(KILLS), "--others", str(OTHERS), "--seed", "7", "--json", str(file))
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *counts], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return dict(json.loads(file.read_text()))


def test_no_finished_episode_is_lost_and_nothing_comes_back_that_was_never_sent(figures: dict[str, Any]) -> None:
    rows = {row["kind"]: row for row in figures["summary"]}
    assert rows["kill -9"]["cases"] == KILLS and rows["camera unplugged"]["cases"] == OTHERS
    for row in rows.values():
        assert row["lost_finished"] == 0 and row["failed"] == 0


def test_what_happened_is_said_in_words(figures: dict[str, Any]) -> None:
    said: dict[str, str] = {}
    for case in figures["cases"]:
        said[case["kind"]] = said.get(case["kind"], "") + " ".join(case["said"])
    assert "its recording was cut off" in said["kill -9"] and "the end of the recording is missing" in said["kill -9"]
    assert "/camera/image_raw" in said["camera unplugged"] and "/joint_states" not in said["camera unplugged"]
    assert "nothing for" in said["clock set"] or "time goes backwards" in said["clock set"]
    if os.geteuid() == 0:
        assert "the disk is full" in said["disk full"] and "before the disk is full" in said["disk nearly full"]
