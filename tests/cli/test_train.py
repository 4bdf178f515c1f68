"""`tenon train` and `tenon evaluate --env`: from data, by practice, resumed, and told clearly what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tenon.cli import main as entry
from tenon.cli.train import Train
from tenon.data.checkpoint import Checkpoint, save_checkpoint
from tenon.data.replay import Replay
from tenon.data.transitions import EnvironmentSpec, GoalSpec, Observation, ObservationSpec, Transition
from tenon.environments.registry import make_environment
from tenon.experiments.prior_data import resets

SMALL = ("batch_size=16", "algorithm.hidden_sizes=[8]", "warmup_transitions=0")
DRAWER = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=3)
GOAL = GoalSpec(size=2, tolerance=0.1, reward="miss_penalty")


def train(out: Path, *arguments: str) -> int:
    options = ("--draws", "2", "--evaluate-every", "30", "--jobs", "1", "--set", *SMALL)
    return entry.main(["train", *arguments, "--out", str(out), *options])


def replay(directory: Path, spec: EnvironmentSpec = DRAWER, *, reward: float = -1.0) -> Path:
    """Ten random transitions."""
    rng = np.random.default_rng(0)
    held = Replay(directory, spec)
    goal = spec.observation.goal

    def observation() -> Observation:
        state = rng.standard_normal(spec.observation.state_size).astype(np.float32)
        return Observation(state, achieved_goal=None if goal is None else state[: goal.size])

    for step in range(10):
        action = rng.uniform(-1.0, 1.0, spec.action_size).astype(np.float32)
        held.add(Transition("logs", 0, step, observation(), action, reward, observation(), False, step == 9))
    held.close()
    return directory


def test_offline_training_from_a_replay_needs_no_environment(tmp_path: Path) -> None:
    data = replay(tmp_path / "data")
    assert train(tmp_path / "out", "iql", "--data", str(data), "--updates", "20") == 0
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    assert [(row["metric"], row["value"]) for row in rows] == [("updates", 20.0)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (3000, 3000)),
        ({"set": ("algorithm.encoder_updates=2000",)}, (2000, 3000)),
        ({"config": "mine.yaml"}, (1000, 3000)),
    ],
    ids=["as shipped", "as typed", "as a file of one's own says"],
)
def test_encoders_and_step_sizes_end_with_the_offline_updates_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = {"method": "iql_daib", "batch_size": 8, "algorithm": {"encoder_updates": 1000}}
    Path("mine.yaml").write_text(yaml.safe_dump(mine))
    config = Train("iql_daib", tmp_path / "out", data="data", **options)._trainer(3000, has_goals=False)
    assert (config.algorithm["encoder_updates"], config.algorithm["cosine_updates"]) == expected


@pytest.mark.learning
def test_data_then_practice_is_evaluated_plotted_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("awac", "--data", "scripted", "--demonstrations", "2", "--env", "drawer", "--updates", "30")
    assert train(tmp_path, *arguments, "--steps", "60") == 0
    told = capsys.readouterr().err
    assert "30 updates and steps: success 0.00 (95 % interval" in told
    assert (tmp_path / "plot.png").exists()
    (work,) = (tmp_path / "work").iterdir()
    assert list((work / "tensorboard").iterdir())
    assert [int(path.name[-3:]) for path in sorted((work / "trainer" / "checkpoints").iterdir())][-1] == 90
    assert train(tmp_path, *arguments, "--steps", "60") == 0
    assert "1 runs are there already, 0 are left" in capsys.readouterr().err
    assert train(tmp_path, *arguments, "--steps", "120") == 2
    told = capsys.readouterr().err
    assert "holds train with steps = 60 (asked for: 120)" in told and "name another --out" in told


@pytest.mark.learning
def test_task_with_goals_is_practised_with_hindsight_unless_told_otherwise(tmp_path: Path) -> None:
    assert train(tmp_path, "ddpg_her", "--env", "fetch-reach", "--steps", "50") == 0
    (described,) = (tmp_path / "work").glob("*/trainer/trainer.json")
    sampling = json.loads(described.read_text())["config"]["sampling"]
    assert sampling["relabel"] == {"strategy": "future", "probability": 0.8}
    assert sampling["prior_share"] is None, "there are no demonstrations to take a share from"


@pytest.mark.learning
def test_practice_begins_in_demonstrations_where_asked_for(tmp_path: Path) -> None:
    arguments = ("ddpg_her", "--data", "scripted", "--demonstrations", "2", "--env", "fetch-stack-2", "--updates", "0")
    assert train(tmp_path, *arguments, "--steps", "100", "--demonstration-resets", "1") == 0
    (stored,) = (tmp_path / "work").glob("*/trainer/replay")
    reset = resets("fetch-stack-2", 2, seed=0, probability=1.0)(0)
    begin, _ = make_environment("fetch-stack-2").reset(seed=reset.seed, options=reset.options)
    held = Replay(stored, make_environment("fetch-stack-2").spec)
    np.testing.assert_array_equal(held.values("state", np.array([0]))[0], begin["state"])
    held.close()


@pytest.mark.learning
def test_checkpoint_is_evaluated_without_a_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "out", "sac", "--env", "drawer", "--steps", "60") == 0
    (work,) = (tmp_path / "out" / "work").iterdir()
    assert f"trained: {work / 'trainer'}" in capsys.readouterr().err
    result = tmp_path / "result.json"
    arguments = ["evaluate", "--env", "drawer", "--checkpoint", str(work / "trainer"), "--draws", "2"]
    assert entry.main([*arguments, "--json", str(result)]) == 0
    data = json.loads(result.read_text())
    assert (data["environment"], data["draws"], data["method"], data["updates"]) == ("drawer", 2, "sac", 60)
    assert 0.0 <= data["low"] <= data["success"] <= data["high"] <= 1.0
    assert entry.main([*arguments, "--json", str(tmp_path)]) == 1
    assert f"--json {tmp_path}: cannot be written" in capsys.readouterr().err
    assert (
        entry.main(
            ["evaluate", "--env", "drawer", "--checkpoint", str(work / "trainer" / "checkpoints"), "--draws", "2"]
        )
        == 0
    )
    assert f"policy: {work / 'trainer' / 'checkpoints' / 'update-000000000060'}" in capsys.readouterr().err
    assert entry.main([*arguments[:2], "flying-peg", *arguments[3:]]) == 1
    assert "this task has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sca", "--env", "drawer"), "did you mean 'sac'"),
        (("sac", "--env", "drawr"), "did you mean 'drawer'"),
        (("sac",), "name --data, --env or both"),
        (("sac", "--env", "drawer", "--updates", "5"), "offline updates need --data"),
        (("sac", "--env", "drawer", "--steps", "0"), "nothing to do"),
        (("sac", "--env", "drawer", "--seeds", "0"), "--seeds 0"),
        (("bc", "--data", "scripted"), "--env NAME is needed"),
        (("bc", "--data", "scripted", "--env", "fetch-reach"), "there is no script for 'fetch-reach'"),
        (("bc", "--data", "nowhere"), "holds no data"),
        (("sac", "--env", "drawer", "--demonstration-resets", "0.5"), "on --data scripted"),
        (("sac", "--env", "drawer", "--demonstration-resets", "1.5"), "a share from 0 to 1"),
        (
            ("awac", "--data", "scripted", "--env", "drawer", "--steps", "50", "--demonstration-resets", "0.5"),
            "with drawer: these demonstrations hold no simulator states",
        ),
        (("sac", "--env", "drawer", "--config", "td3"), "is of method 'td3'"),
        (("sac", "--env", "drawer", "--config", "nosuch"), "'nosuch' is unknown"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "out", *arguments) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_practice_that_would_end_before_its_first_update_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(["train", "sac", "--env", "drawer", "--steps", "400", "--out", str(tmp_path / "out")]) == 2
    assert "--steps 400: practice learns from step 501 on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("batch_size", "key=value is needed"),
        ("batch_sze=3", "did you mean 'batch_size'"),
        ("algorithm.discount=1.5", "discount"),
        ("batch_size=[", "not valid YAML"),
    ],
)
def test_wrong_setting_exits_2_and_names_it(
    assignment: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "sac", "--env", "drawer", "--out", str(tmp_path / "out"), "--set", assignment]
    assert entry.main(arguments) == 2
    assert told in capsys.readouterr().err


def test_data_of_another_task_are_refused_with_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = DRAWER.model_copy(update={"observation": ObservationSpec(state_size=4, goal=GOAL)})
    data = replay(tmp_path / "data", spec)
    assert train(tmp_path / "out", "bc", "--data", str(data), "--env", "drawer") == 2
    told = capsys.readouterr().err
    assert "its data are of another task" in told and "goal" in told


def test_data_of_a_training_that_never_practised_say_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Replay(tmp_path / "trainer" / "replay", DRAWER).close()
    assert train(tmp_path / "out", "bc", "--data", str(tmp_path / "trainer"), "--updates", "5") == 1
    assert "holds no transitions yet" in capsys.readouterr().err


def test_data_that_are_not_finite_fail_the_run_and_say_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The replay refuses NaN, so it is planted on the disk."""
    data = replay(tmp_path / "data")
    rewards = np.memmap(data / "reward", np.float32, "r+")
    rewards[:10] = np.nan
    rewards.flush()
    assert train(tmp_path / "out", "iql", "--data", str(data), "--updates", "5") == 1
    told = capsys.readouterr().err
    assert "failed: iql / data alone / seed 0" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--env", "drawer"), "name a --checkpoint"),
        (("--controller", "spiral", "--checkpoint", "."), "spiral acts without a policy: leave out --checkpoint"),
        (("--env", "drawer", "--checkpoint", "nowhere"), "no such checkpoint"),
        (("--env", "drawr", "--checkpoint", "."), "did you mean 'drawer'"),
        (("--env", "drawer", "--checkpoint", ".", "--task", "hard"), "leave out --task"),
        (("--env", "drawer", "--checkpoint", ".", "--goal-error-mm", "0"), "leave out --goal-error-mm"),
        (("--env", "drawer", "--checkpoint", ".", "--localiser", "x"), "leave out --localiser"),
        (("--env", "drawer", "--checkpoint", ".", "--reward-checkpoint", "x"), "leave out --reward-checkpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_evaluation_exits_2(
    arguments: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry.main(["evaluate", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_checkpoint_of_a_classifier_is_refused_as_no_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "classifier"
    save_checkpoint(place, Checkpoint("daib", {}, {}, counters={}, tensors={"weight": torch.zeros(1)}))
    assert entry.main(["evaluate", "--env", "drawer", "--checkpoint", str(place)]) == 2
    assert "is a checkpoint of 'daib', which is no policy" in capsys.readouterr().err
