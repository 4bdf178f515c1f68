"""The same jobs on Ray, started on this machine, where Ray is installed; and what a worker does, without it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tenon.experiments.cluster import RayCluster, _remote
from tenon.experiments.runner import run_experiment


@pytest.mark.cluster
def test_cluster_does_what_one_process_does(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    # Ray's workers are not children of this process: they find the toy by the environment.
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    from toy_experiment import Toy, ToySize

    experiment = Toy(ToySize(methods=("good", "refuses", "dies")))
    here = run_experiment(Toy(ToySize()), tmp_path / "here", 2, in_this_process)
    there = run_experiment(experiment, tmp_path / "there", 2, RayCluster(2), watcher)
    assert set(watcher.failed) == {f"{kind} / here / seed {seed}" for kind in ("refuses", "dies") for seed in range(2)}
    assert there.results.rows == here.results.rows
    assert there.results.curve == here.results.curve
    assert watcher.failed["refuses / here / seed 0"] == "the socket is closed: open it"
    assert "its worker was lost" in watcher.failed["dies / here / seed 1"]


@pytest.mark.parametrize(("method", "keeps", "left"), [("good", True, 1), ("good", False, 0), ("raises", True, 0)])
def test_worker_leaves_the_folder_of_a_finished_job_where_it_is_kept_and_says_where(
    method: str, keeps: bool, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_experiment import Toy, ToySize

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Toy, "keeps_work", keeps)
    experiment = Toy(ToySize(methods=(method,)))
    answer = _remote(experiment, experiment.jobs(1)[0])
    folders = list(tmp_path.iterdir())
    assert len(folders) == left
    assert [answer["kept"].partition(":")[2]] == [str(folder) for folder in folders] if left else "kept" not in answer
