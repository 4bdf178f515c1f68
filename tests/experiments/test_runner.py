"""Runs side by side: what is finished stays, what fails is told, what was interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tenon.experiments.experiment import ExperimentError, Job, JobContext, JobResult
from tenon.experiments.processes import LocalProcesses
from tenon.experiments.runner import RunObserver, run_experiment


def toy(**size: Any) -> Any:
    from toy_experiment import Toy, ToySize

    return Toy(ToySize(**size))


def test_report_has_the_rows_of_all_runs(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    report = run_experiment(toy(), tmp_path, 3, in_this_process, watcher)
    assert [(row.seed, row.value) for row in report.results.rows] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert [(p.seed, p.step) for p in report.results.curve] == [(s, step) for s in range(3) for step in (10, 20)]
    assert report.passed
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is True


def test_planted_wrong_value_misses_the_bar(tmp_path: Path, in_this_process: Any) -> None:
    assert not run_experiment(toy(value=0.4), tmp_path, 3, in_this_process).passed


def test_fewer_seeds_than_the_bars_ask_for_miss_it(tmp_path: Path, in_this_process: Any) -> None:
    report = run_experiment(toy(value=2.0), tmp_path, 2, in_this_process)
    assert [condition.met for condition in report.bar] == [True, False]


def test_finished_runs_are_not_done_again(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    run_experiment(toy(), tmp_path, 2, in_this_process)
    run_experiment(toy(), tmp_path, 3, in_this_process, watcher)
    assert watcher.begun == ["good / here / seed 2"]
    assert watcher.already == 2


def test_failed_run_is_named_and_the_others_stay(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    report = run_experiment(toy(methods=("raises", "good")), tmp_path, 3, in_this_process, watcher)
    assert set(watcher.failed) == {f"raises / here / seed {seed}" for seed in range(3)}
    assert "KeyError: 'a bug'" in watcher.failed["raises / here / seed 0"]
    assert len(report.results.rows) == 3
    assert not report.passed
    assert report.bar[-1].measured == 0.0


def test_error_with_a_remedy_comes_without_traceback(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    run_experiment(toy(methods=("refuses",)), tmp_path, 1, in_this_process, watcher)
    assert watcher.failed == {"refuses / here / seed 0": "the socket is closed: open it"}


def test_number_that_is_not_finite_fails_its_run(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    run_experiment(toy(methods=("nan",)), tmp_path, 1, in_this_process, watcher)
    assert "success is nan" in watcher.failed["nan / here / seed 0"]


def test_interrupted_run_finds_its_learning_curve(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    experiment = toy(methods=("interrupted",), marks=str(marks))
    for _ in range(3):
        report = run_experiment(experiment, tmp_path / "out", 1, in_this_process, watcher)
    assert watcher.done == ["interrupted / here / seed 0"]
    assert [(point.step, point.value) for point in report.results.curve] == [(10, 0.1), (20, 0.2)]
    assert sorted(path.name[-1] for path in marks.iterdir()) == ["0", "1", "2"]
    assert not list((tmp_path / "out" / "work").iterdir())


def test_folder_of_another_size_is_refused_untouched(tmp_path: Path, in_this_process: Any) -> None:
    run_experiment(toy(), tmp_path, 1, in_this_process)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(ExperimentError, match=r"toy with value = 1.0 \(asked for: 2.0\).*name another --out"):
        run_experiment(toy(value=2.0), tmp_path, 1, in_this_process)
    assert (tmp_path / "report.json").read_bytes() == before


def test_folder_in_use_is_refused(tmp_path: Path, in_this_process: Any) -> None:
    class Nested:
        def run(self, experiment: Any, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
            run_experiment(experiment, out, 1, in_this_process)

    with pytest.raises(ExperimentError, match="in use by another run"):
        run_experiment(toy(), tmp_path, 1, Nested())


def test_damaged_job_file_is_named_with_its_remedy(tmp_path: Path, in_this_process: Any) -> None:
    run_experiment(toy(), tmp_path, 1, in_this_process)
    (job,) = (tmp_path / "jobs").iterdir()
    job.write_text(job.read_text()[:40])
    with pytest.raises(ExperimentError, match=f"{job.name} is damaged.*Delete it"):
        run_experiment(toy(), tmp_path, 1, in_this_process)


def test_clock_adds_up_over_starts(tmp_path: Path, in_this_process: Any) -> None:
    first = run_experiment(toy(), tmp_path, 1, in_this_process)
    second = run_experiment(toy(), tmp_path, 2, in_this_process)
    assert second.wall_s > first.wall_s > 0.0


def test_processes_do_what_one_process_does(tmp_path: Path, in_this_process: Any, watcher: Any) -> None:
    here = run_experiment(toy(), tmp_path / "here", 2, in_this_process)
    there = run_experiment(toy(), tmp_path / "there", 2, LocalProcesses(2), watcher)
    assert there.results.rows == here.results.rows
    assert there.results.curve == here.results.curve
    assert sorted(watcher.done) == ["good / here / seed 0", "good / here / seed 1"]
    assert ("good / here / seed 0", 10, {"success": 0.1}) in watcher.recorded


def test_dead_process_is_told_and_the_others_stay(tmp_path: Path, watcher: Any) -> None:
    report = run_experiment(toy(methods=("dies", "good")), tmp_path, 1, LocalProcesses(1), watcher)
    assert watcher.failed == {"dies / here / seed 0": "its process died with status 3"}
    assert [row.method for row in report.results.rows] == ["good"]


def test_interrupt_keeps_what_is_finished(tmp_path: Path, watcher: Any) -> None:
    class Impatient(RunObserver):
        def on_done(self, result: JobResult) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment(toy(), tmp_path, 2, LocalProcesses(1), Impatient())
    run_experiment(toy(), tmp_path, 2, LocalProcesses(1), watcher)
    assert watcher.already == 1
    assert len(watcher.done) == 1


def test_no_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        LocalProcesses(0)


def test_curve_of_an_interrupted_run_is_on_disk_at_once(tmp_path: Path) -> None:
    job = Job("ours", "easy", 0, 1.0)
    JobContext(job, tmp_path).record(10, success=0.5)
    again = JobContext(job, tmp_path)
    assert again.has_recorded(10) and not again.has_recorded(20)
    assert again.points[0].value == 0.5
