"""`tenon reproduce`: names and costs, wrong usage, exit status by the bar."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tenon.cli import main as entry
from tenon.cli import reproduce
from tenon.cli.jobs_progress import JobsProgress
from tenon.experiments.experiment import Job
from tenon.experiments.registry import EXPERIMENTS
from tenon.experiments.residual_bias import ResidualBias
from tenon.experiments.results import Row
from tenon.experiments.runner import AnyExperiment, RunObserver, store

Tenon = Callable[..., subprocess.CompletedProcess[str]]


class Planted:
    """Stores what a perfect residual, or a useless one, would have measured."""

    def __init__(self, success: float) -> None:
        self._success = success

    def run(self, experiment: AnyExperiment, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
        from tenon.experiments.experiment import JobResult

        values = {"residual SAC": self._success, "P + dither": 0.3, "P + exact correction": 1.0, "pure SAC": 0.0}
        for job in jobs:
            observer.on_start(job)
            success = values.get(job.method, 1.0 if job.setting == "bias 0 mm" else 0.0)
            rows = (
                Row(job.method, job.setting, job.seed, "success", success),
                Row(job.method, job.setting, job.seed, "peak_force_n", 5.0),
            )
            result = JobResult(job, rows, (), 1.0, 1.0)
            store(experiment, out, result)
            observer.on_done(result)


def planted(monkeypatch: pytest.MonkeyPatch, success: float) -> None:
    monkeypatch.setattr(reproduce, "executor", lambda jobs, *, cluster: Planted(success))


def test_list_names_every_experiment_with_its_cost(tenon: Tenon) -> None:
    run = tenon("reproduce", "--list")
    assert run.returncode == 0
    for name in EXPERIMENTS:
        assert name in run.stdout
    assert "CPU minutes" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("residual-bais",), "did you mean 'residual-bias'"),
        ((), "--list` names them"),
        (("residual-bias", "--seeds", "0"), "--seeds 0"),
        (("residual-bias", "--jobs", "0"), "--jobs 0"),
        (("residual-bias", "--full"), "residual-blocks --full"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    arguments: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry.main(["reproduce", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_passed_bar_exits_0_and_leaves_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, 1.0)
    assert entry.main(["reproduce", "residual-bias", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is True


def test_missed_bar_exits_1_and_names_the_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(monkeypatch, 0.5)
    assert entry.main(["reproduce", "residual-bias", "--out", str(tmp_path)]) == 1
    assert "missed: success of residual SAC at bias 1.5 mm: 0.5, needed >= 0.9" in capsys.readouterr().err


def test_default_folder_is_named_after_the_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, 1.0)
    monkeypatch.chdir(tmp_path)
    entry.main(["reproduce", "residual-bias"])
    assert (tmp_path / "runs" / "reproduce" / "residual-bias" / "report.json").exists()


def test_folder_of_another_experiment_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(monkeypatch, 1.0)
    entry.main(["reproduce", "residual-bias", "--out", str(tmp_path)])
    assert entry.main(["reproduce", "iql-maze", "--out", str(tmp_path)]) == 2
    assert "name another --out" in capsys.readouterr().err


def test_missing_ray_is_answered_with_the_line_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert entry.main(["reproduce", "residual-bias", "--cluster", "--out", str(tmp_path)]) == 2
    assert "pip install -e '.[cluster]'" in capsys.readouterr().err


def test_points_of_a_training_are_told_with_their_interval(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("sac", "drawer", 0, 1.0)
    with JobsProgress(draws=20) as progress:
        progress.on_begin([job], 0)
        progress.on_start(job)
        progress.on_record(job, 1_000, {"success": 0.5, "total_reward": -12.345})
    err = capsys.readouterr().err
    assert "sac / drawer / seed 0, 1000 updates and steps: success 0.50 (95 % interval 0.30 to 0.70)" in err
    assert "total_reward -12.3" in err


def test_planted_rows_are_those_that_the_experiment_asks_for() -> None:
    """Were a method renamed, the tests above would prove nothing."""
    methods: set[Any] = {job.method for job in ResidualBias.small().jobs(1)}
    assert methods == {"residual SAC", "P", "P + dither", "P + exact correction", "pure SAC"}
