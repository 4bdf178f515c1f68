"""The same jobs on Ray, started on this machine; skipped where Ray is not installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tenon.experiments.runner import run_experiment

pytestmark = pytest.mark.cluster


def test_cluster_does_what_one_process_does(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    # Ray's workers are not children of this process: they find the toy by the environment.
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    from toy_experiment import Toy, ToySize

    from tenon.experiments.cluster import RayCluster

    experiment = Toy(ToySize(methods=("good", "refuses", "dies")))
    here = run_experiment(Toy(ToySize()), tmp_path / "here", 2, in_this_process)
    there = run_experiment(experiment, tmp_path / "there", 2, RayCluster(2), watcher)
    assert set(watcher.failed) == {f"{kind} / here / seed {seed}" for kind in ("refuses", "dies") for seed in range(2)}
    assert there.results.rows == here.results.rows
    assert there.results.curve == here.results.curve
    assert watcher.failed["refuses / here / seed 0"] == "the socket is closed: open it"
    assert "its worker was lost" in watcher.failed["dies / here / seed 1"]
