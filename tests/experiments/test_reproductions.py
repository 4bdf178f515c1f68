"""Every experiment from start to end at a tiny size: all runs finish, and the report holds what its bar asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenon.configuration import ConfigurationError
from tenon.experiments.awac_drawer import AWACDrawer, AWACDrawerSize
from tenon.experiments.demos_her_pick import DemosHerPick, DemosHerPickSize
from tenon.experiments.experiment import ExperimentError
from tenon.experiments.insertion_table import InsertionTable, InsertionTableSize
from tenon.experiments.iql_maze import IQLMaze, IQLMazeSize
from tenon.experiments.registry import EXPERIMENTS, experiment_named
from tenon.experiments.residual_bias import ResidualBias, ResidualBiasSize
from tenon.experiments.runner import AnyExperiment, run_experiment

TINY: tuple[AnyExperiment, ...] = (
    ResidualBias(
        ResidualBiasSize(biases_mm=(0.0, 1.5), steps=60, evaluate_every=40, warmup=40, draws=2, draws_on_the_way=1)
    ),
    DemosHerPick(
        DemosHerPickSize(
            steps=100,
            cloning_updates=10,
            evaluate_every=50,
            draws=6,
            draws_on_the_way=4,
            demonstrations=2,
            batch_size=16,
            demonstrated=4,
            updates_per_episode=5,
        )
    ),
    AWACDrawer(
        AWACDrawerSize(
            trajectories=4, offline_updates=6, steps=120, cloning_updates=4, evaluate_every=60, draws=2, batch_size=16
        )
    ),
    IQLMaze(
        IQLMazeSize(
            walks=6,
            long_updates=6,
            short_updates=4,
            cloning_updates=4,
            practice_steps=250,
            evaluate_every=3,
            practice_evaluate_every=250,
            draws=1,
            batch_size=16,
        )
    ),
)
# Two sockets and five arms stand for all: state and image, SAC and TD3, with demonstrations and without.
TINY_TABLE = InsertionTable(
    InsertionTableSize(
        sockets=("easy", "hard"),
        steps=150,
        other_steps=100,
        gated_steps=200,
        evaluate_every=100,
        warmup=90,
        draws=2,
        other_draws=1,
        draws_on_the_way=1,
        demonstrations=1,
    )
)
TABLE_ARMS = ("P", "P + dither", "residual SAC, sparse", "pure SAC, sparse", "pure SAC, dense", "pure TD3, image")


def check(report: Any, out: Path, watcher: Any) -> None:
    """No run has failed, and nothing that the bar asks for is missing, except what needs a success."""
    assert watcher.failed == {}
    data = json.loads((out / "report.json").read_text())
    assert set(data) == {"name", "passed", "bar", "rows", "summary", "cpu_s", "wall_s", "versions"}
    optional = {condition.condition for condition in report.bar if "steps" in condition.condition}
    missing = {condition.condition for condition in report.bar if condition.measured is None}
    assert missing <= optional
    assert (out / "table.md").exists() and (out / "plot.png").exists()


@pytest.mark.learning
@pytest.mark.parametrize("experiment", TINY, ids=lambda experiment: experiment.name)
def test_experiment_runs_from_start_to_end(
    experiment: AnyExperiment, tmp_path: Path, in_this_process: Any, watcher: Any
) -> None:
    report = run_experiment(experiment, tmp_path, 1, in_this_process, watcher)
    assert len(watcher.done) == len(experiment.jobs(1))
    check(report, tmp_path, watcher)


@pytest.mark.learning
def test_insertion_table_runs_from_start_to_end(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job for job in TINY_TABLE.jobs(1) if job.method in TABLE_ARMS and job.setting == "hard"]
    jobs += [job for job in TINY_TABLE.jobs(1) if job.method == "RL + LfD, image" and job.setting == "easy"]
    monkeypatch.setattr(TINY_TABLE, "jobs", lambda seeds: jobs)
    report = run_experiment(TINY_TABLE, tmp_path, 1, in_this_process, watcher)
    check(report, tmp_path, watcher)
    assert "| P | - | 100 / 60 |" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_costs_and_shows(name: str) -> None:
    experiment = experiment_named(name).small()
    assert 0.0 < experiment.minutes() < 150.0
    assert experiment.shows and experiment.source.endswith(("8", "8.1"))
    assert len({job.key for job in experiment.jobs(3)}) == len(experiment.jobs(3))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_full_size_names_what_is_missing(name: str) -> None:
    with pytest.raises(ExperimentError, match=r"Tenon.*Run it without --full"):
        experiment_named(name).full()


def test_unknown_experiment_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'iql-maze'"):
        experiment_named("iql-mace")
