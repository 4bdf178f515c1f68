"""Every experiment from start to end at a tiny size: all runs finish, and the report holds what its bar asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tenon.configuration import ConfigurationError
from tenon.experiments.awac_drawer import AWACDrawer, AWACDrawerSize
from tenon.experiments.awac_valve import AWACValve, AWACValveSize
from tenon.experiments.demos_her import DemosHerSize
from tenon.experiments.demos_her_pick import DemosHerPick
from tenon.experiments.demos_her_stack import DemosHerStack, DemosHerStackSize
from tenon.experiments.experiment import ExperimentError
from tenon.experiments.insertion_table import GATED, InsertionTable, InsertionTableSize
from tenon.experiments.insertion_worlds import make_task
from tenon.experiments.intervention import Intervention, InterventionSize
from tenon.experiments.iql_maze import BETWEEN, SHORT, IQLMaze, IQLMazeSize
from tenon.experiments.registry import EXPERIMENTS, experiment_named
from tenon.experiments.residual_bias import ResidualBias, ResidualBiasSize
from tenon.experiments.residual_blocks import ResidualBlocks, ResidualBlocksSize
from tenon.experiments.runner import AnyExperiment, run_experiment

TINY: tuple[AnyExperiment, ...] = (
    ResidualBias(
        ResidualBiasSize(biases_mm=(0.0, 1.5), steps=60, evaluate_every=40, warmup=40, draws=2, draws_on_the_way=1)
    ),
    ResidualBlocks(
        ResidualBlocksSize(
            rotations_rad=(0.0, 0.3),
            learners=("SAC", "TD3"),
            steps=100,
            evaluate_every=50,
            warmup=40,
            draws=2,
            draws_on_the_way=1,
        )
    ),
    Intervention(InterventionSize(steps=60, evaluate_every=40, warmup=40, draws=2, interventions=2, patience_steps=3)),
    DemosHerPick(
        DemosHerSize(
            steps=100,
            cloning_updates=10,
            evaluate_every=50,
            draws=6,
            draws_on_the_way=4,
            demonstrations=2,
            batch_size=16,
            demonstrated=4,
            updates_per_50_steps=5,
        )
    ),
    DemosHerStack(
        DemosHerStackSize(
            methods=DemosHerStack.full().size.methods,
            steps=100,
            cloning_updates=10,
            evaluate_every=50,
            draws=2,
            draws_on_the_way=1,
            demonstrations=2,
            batch_size=16,
            demonstrated=4,
            updates_per_50_steps=5,
        )
    ),
    AWACDrawer(
        AWACDrawerSize(
            trajectories=4, offline_updates=6, steps=120, cloning_updates=4, evaluate_every=60, draws=2, batch_size=16
        )
    ),
    AWACValve(
        AWACValveSize(
            demonstrations=2,
            cloned=1,
            cloning_updates=4,
            offline_updates=6,
            steps=100,
            evaluate_every=100,
            draws=1,
            batch_size=16,
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
TINY_ARM_TABLE = InsertionTable(
    TINY_TABLE.size.model_copy(
        update={"world": "arm", "sockets": ("usb",), "rewards": ("sparse", "dense"), "other_steps": 100}
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


@pytest.mark.learning
def test_insertion_table_of_the_arm_runs_from_start_to_end(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = ("P", "P + dither", GATED, "pure SAC, sparse", "pure TD3, dense", "RL + LfD, sparse")
    jobs = [job for job in TINY_ARM_TABLE.jobs(1) if job.method in methods]
    monkeypatch.setattr(TINY_ARM_TABLE, "jobs", lambda seeds: jobs)
    report = run_experiment(TINY_ARM_TABLE, tmp_path, 1, in_this_process, watcher)
    assert len(watcher.done) == len(methods)
    check(report, tmp_path, watcher)
    assert "| 100 / 60 |" in (tmp_path / "table.md").read_text(), "the paper's USB stands beside the arm's"


@pytest.mark.learning
def test_full_maze_has_an_expectile_in_between(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny,) = (experiment for experiment in TINY if isinstance(experiment, IQLMaze))
    maze = IQLMaze(tiny.size.model_copy(update={"methods": IQLMaze.full().size.methods}))
    jobs = [job for job in maze.jobs(1) if (job.method, job.setting) == (BETWEEN, SHORT)]
    monkeypatch.setattr(maze, "jobs", lambda seeds: jobs)
    report = run_experiment(maze, tmp_path, 1, in_this_process, watcher)
    assert watcher.failed == {}
    assert report.results.mean(BETWEEN, SHORT, "success") is not None


@pytest.mark.learning
def test_full_drawer_has_the_papers_networks(
    tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny,) = (experiment for experiment in TINY if isinstance(experiment, AWACDrawer))
    full = AWACDrawer.full().size
    drawer = AWACDrawer(tiny.size.model_copy(update={"hidden_sizes": full.hidden_sizes, "discount": full.discount}))
    jobs = [job for job in drawer.jobs(1) if job.method == "AWAC"]
    monkeypatch.setattr(drawer, "jobs", lambda seeds: jobs)
    report = run_experiment(drawer, tmp_path, 1, in_this_process, watcher)
    assert watcher.failed == {}
    assert report.results.mean("AWAC", "drawer", "success") is not None


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_costs_and_shows(name: str) -> None:
    experiment = experiment_named(name).small()
    assert 0.0 < experiment.minutes() < 150.0
    assert experiment.shows
    assert re.match(r"[a-z-]+\.md \d", experiment.source), "a section of a specification"
    assert len({job.key for job in experiment.jobs(3)}) == len(experiment.jobs(3))


@pytest.mark.parametrize(
    ("name", "runs", "cost"),
    [
        ("insertion-table", 3 * 3 * 11, 3),
        ("demos-her-pick", 3 * 6, 10),
        ("demos-her-stack", 3 * 3 * 7, 50),
        ("awac-drawer", 3 * 4, 50),
        ("iql-maze", 3 * 7, 50),
    ],
)
def test_full_size_lists_its_runs(name: str, runs: int, cost: int) -> None:
    """cost: at least so many times that of the small size."""
    small, full = experiment_named(name).small(), experiment_named(name).full()
    jobs = full.jobs(3)
    assert len({job.key for job in jobs}) == len(jobs) == runs
    assert full.minutes() > cost * small.minutes()


def test_insertion_table_compares_all_seeds_and_shows_one_of_the_rest() -> None:
    assert len(InsertionTable.small().jobs(3)) == 3 * 16 + 2 * 5
    assert len(InsertionTable.full().jobs(7)) == 5 * 3 * 11 + 2 * 3 * 3


@pytest.mark.parametrize("name", ["daib-classifier", "on-the-job-far", "daib-ablation"])
def test_experiment_on_recorded_data_names_them_before_anything_runs(
    name: str, tmp_path: Path, in_this_process: Any
) -> None:
    experiment = experiment_named(name).small().with_data(tmp_path / "none")
    with pytest.raises(ExperimentError, match=r"none: holds no data of connectors\. First: `tenon collect"):
        run_experiment(experiment, tmp_path / "out", 1, in_this_process)
    assert not list((tmp_path / "out").glob("jobs/*"))


def test_experiment_of_one_size_names_the_one_that_has_the_papers_task() -> None:
    with pytest.raises(ExperimentError, match=r"residual-blocks --full\. Run this one without --full"):
        experiment_named("residual-bias").full()


def test_arm_has_no_task_of_pictures() -> None:
    with pytest.raises(ValueError, match="choose sparse or dense"):
        make_task("arm", "usb", "image")


def test_unknown_experiment_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'iql-maze'"):
        experiment_named("iql-mace")
