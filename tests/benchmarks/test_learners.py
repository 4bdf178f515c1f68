"""The learners benchmark runs to its end, reports peers that are not installed, and tells its bars rightly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PEERS = ("sb3", "sbx", "d3rlpy")
# Without the compiled one, which takes its time to be compiled: tests/algorithms has it.
TINY = ("--quick", "--rounds", "1", "--seconds", "0.01", "--libraries", "tenon", *PEERS)
TIMEOUT_S = 280
CASES = {"sac from states", "td3 from states", "iql from states", "sac from images", "iql from images"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the benchmark has written learners.json and learners.md, without an environment for the peers."""
    directory = tmp_path_factory.mktemp("learners")
    outputs = ("--json", str(directory / "learners.json"), "--markdown", str(directory / "learners.md"))
    command = [sys.executable, str(BENCHMARKS / "learners.py"), *TINY, *outputs]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stderr
    return directory


@pytest.fixture(scope="module")
def report(files: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files / "learners.json").read_text())
    return loaded


@pytest.mark.timeout(TIMEOUT_S + 10)
def test_own_learners_are_timed_on_every_case(report: dict[str, Any]) -> None:
    own = [result for result in report["results"] if result["library"] == "tenon"]
    assert {result["case"] for result in own} == CASES
    for result in own:
        assert result["missing"] is None
        for what in ("update", "sample"):
            assert len(result["per_second"][what]) == len(result["cpu_s_each"][what]) == 1
            assert result["per_second"][what][0] > 0.0


@pytest.mark.timeout(TIMEOUT_S + 10)
def test_peers_that_are_not_installed_are_named(report: dict[str, Any], files: Path) -> None:
    missing = {result["library"]: result["missing"] for result in report["results"] if result["missing"]}
    assert missing.keys() == set(PEERS)
    assert "No module named" in missing["d3rlpy"]
    assert "d3rlpy | - (No module named" in (files / "learners.md").read_text()


@pytest.mark.timeout(TIMEOUT_S + 10)
def test_replay_of_images_holds_one_copy_of_the_frames(report: dict[str, Any]) -> None:
    """Counted, not timed: the bytes of the replay over those of the frames."""
    shares = [bar for bar in report["bars"] if bar["name"].endswith("replay over one copy")]
    assert len(shares) == 2
    assert all(bar["value"] > 0.9 for bar in shares)


def test_bars_are_over_the_fastest_peer_and_over_sb3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import learners_data
    import learners_table

    case = learners_data.Case("sac", "state", batch_size=8, episodes=1, steps=2)
    results = []
    rounds_s = {
        "tenon": (2.0, 1.0, 9.0),
        "tenon-compiled": (1.6, 1.6, 1.6),
        "sb3": (4.0, 4.0, 4.0),
        "sbx": (1.0, 1.0, 1.0),
    }
    for library, seconds in rounds_s.items():
        measured = learners_table.Measured.of(case, library, {"versions": {}})
        for wall_s in seconds:
            measured.add("update", {"count": 100, "wall_s": wall_s, "cpu_s": wall_s})
        results.append(measured)
    results.append(learners_table.Measured.of(case, "d3rlpy", {"missing": "is not there"}))
    over_sb3, over_fastest = learners_table.bars(results)
    assert (over_sb3.value, over_sb3.passed) == (2.0, True)  # medians: 50 updates/s over 25
    assert (over_fastest.value, over_fastest.passed) == (0.625, False)  # 62.5, compiled, over 100
    assert over_fastest.name.endswith("updates of Tenon, compiled over the fastest (sbx)")


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_long_run_can_be_cut_into_runs_of_some_cases(tmp_path: Path) -> None:
    """The second run adds its case to those of the first, and what a person wrote below the tables stays."""
    report, page = tmp_path / "learners.json", tmp_path / "learners.md"
    page.write_text("# Old tables\n\n## Remarks\n\nA person wrote this.\n")
    for case in ("td3 from states", "iql from states"):
        command = [sys.executable, str(BENCHMARKS / "learners.py"), *TINY, "--only", case]
        command += ["--json", str(report), "--markdown", str(page)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert run.returncode == 0, run.stderr
    own = [result for result in json.loads(report.read_text())["results"] if result["library"] == "tenon"]
    assert [result["case"] for result in own] == ["td3 from states", "iql from states"]
    written = page.read_text()
    assert written.count("## td3 from states") == written.count("## iql from states") == 1
    assert written.endswith("## Remarks\n\nA person wrote this.\n")
    assert "Old tables" not in written
