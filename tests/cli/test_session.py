"""`tenon session run`: what cannot be run is refused with the reason, before a run directory or a graph is made."""

from __future__ import annotations

import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tenon.cli import main as entry
from tenon.cli.errors import USAGE
from tenon.cli.practice import basis_of
from tenon.cli.run_directory import ALGORITHM_FILE, create, write_algorithm
from tenon.cli.session import Controller, Reward, Run
from tenon.configuration.session import ControllerName, RewardName
from tenon.data.transitions import EnvironmentSpec
from tenon.session.setup import load_setup
from tenon_session.testing.sessions import constant_classifier, offline_training, picture_session, taught_session

CONNECTOR: dict[str, Any] = {
    "name": "mine",
    "plug": {"shape": "rectangle", "width_m": 0.012, "height_m": 0.0045},
    "depth_m": 0.0085,
    "clearance_m": 0.0005,
}
SOCKET = {"shape": "rectangle", "width_m": 0.011, "height_m": 0.005}


def refused(arguments: list[str], run_directory: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says when it refuses; nothing may have been made."""
    assert entry.main(["session", "run", *arguments, "--run-directory", str(run_directory)]) == USAGE
    assert not run_directory.exists()
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"clearance_m": -0.0001}, "clearance_m: Input should be greater than or equal to 0.00001 (got -0.0001)"),
        ({"clearance_m": None, "socket": SOCKET}, "width_m of the plug is 0.012, of the socket 0.011"),
        ({"clearence_m": 0.0005}, "clearence_m: unknown key."),
        ({"clearance_m": None}, "give either clearance_m or a socket of its own"),
        ({"depth_m": 0.0}, "depth_m: Input should be greater than 0"),
    ],
    ids=["negative clearance", "plug larger than socket", "unknown key", "no fit", "no depth"],
)
def test_malformed_connector_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in {**CONNECTOR, **change}.items() if value is not None}))
    said = refused(["--session", "job", "--connector", str(file)], tmp_path / "run", capsys)
    assert told in said
    assert "mine.yaml" in said


def test_reward_of_a_detector_is_refused_before_anything_moves_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = taught_session(tmp_path, "sawyer", reward="electrical")
    said = refused(["--session", str(session)], tmp_path / "run", capsys)
    assert "reward 'electrical' needs a detector of the connection, and robot 'sawyer' has none" in said
    assert "run it with `--reward dense`" in said


def test_record_is_refused_as_well_and_runs_on_a_reward_that_needs_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, out = taught_session(tmp_path, "sawyer", reward="electrical"), tmp_path / "out"
    typed = ["record", "--session", str(session), "--out", str(out)]
    assert entry.main(typed) == USAGE
    assert "robot 'sawyer' has none" in " ".join(capsys.readouterr().err.split())
    out.mkdir()
    (out / "session.yaml").touch()
    assert entry.main([*typed, "--reward", "dense"]) == USAGE
    assert "detector" not in capsys.readouterr().err, "the folder in use is what is refused now"


@pytest.mark.parametrize(
    "typed",
    [
        ["session", "run", "--session", "demo"],
        ["record", "--out", "out"],
        ["evaluate", "--controller", "p_controller"],
        ["replay", "episode", "--session", "sim"],
    ],
    ids=lambda typed: typed[0],
)
def test_nothing_moves_a_real_arm_to_the_goal_of_a_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    episode = SimpleNamespace(path=tmp_path / "episode", contract=SimpleNamespace(seed=1, task="usb"))
    monkeypatch.setattr("tenon.cli.dataset_folder.one_episode", lambda _: episode)
    monkeypatch.setattr("tenon.session.replaying.read_steps", lambda _: [object()])
    reward = [] if typed[0] == "replay" else ["--reward", "dense"]
    assert entry.main([*typed, "--robot", "ur5", *reward]) == USAGE
    assert "robot 'ur5' is a real arm, and session " in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_real_arm_that_was_taught_its_goal_is_not_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    used = tmp_path / "run"
    used.mkdir()
    (used / "session.yaml").touch()
    typed = ["session", "run", "--session", str(taught_session(tmp_path, "ur5")), "--controller", "p_controller"]
    assert entry.main([*typed, "--run-directory", str(used)]) == USAGE
    said = " ".join(capsys.readouterr().err.split())
    assert "holds a session already" in said, "the folder in use is what is refused now"


def test_recordings_know_who_runs_the_session_and_who_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setup = Run(by="ada", episodes=3)._setup()
    assert setup.config.operator == "ada"
    create(setup.run_directory, setup.config)
    assert Run(resume=True)._setup().config.operator == "ada"
    resumed = Run(resume=True, by="grace")._setup().config
    assert (resumed.operator, resumed.episodes) == ("grace", 3)


def test_connector_of_ones_own_takes_the_place_of_the_tasks(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(CONNECTOR))
    assert load_setup("job", {"connector": str(file)}).connector.name == "mine"


def test_unknown_connector_is_refused_with_the_nearest_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["--session", "job", "--connector", "usbb"], tmp_path / "run", capsys)
    assert "did you mean 'usb'?" in said


def test_classifier_that_is_missing_or_of_another_size_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daib = ["--session", "job", "--reward", "daib"]
    assert "needs reward_checkpoint" in refused(daib, tmp_path / "run", capsys)
    said = refused([*daib, "--reward-checkpoint", str(tmp_path / "none")], tmp_path / "run", capsys)
    assert "no classifier that can be used" in said
    small = constant_classifier(tmp_path / "small", 0.0, size_px=16)
    said = refused([*daib, "--reward-checkpoint", str(small)], tmp_path / "run", capsys)
    assert "judges pictures of 16 x 16 pixels, session 'job' takes 64 x 64" in said


def test_session_gets_a_directory_of_its_own_and_resume_takes_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("sim", "sim-2"), 1):
        setup = Run(seed=number)._setup()
        assert setup.config.run_directory == Path("runs") / name
        create(setup.config.run_directory, setup.config)
        (setup.config.run_directory / "episodes").mkdir()
    assert Run(resume=True)._setup().config.seed == 2
    named = Run(resume=True, session="sim", run_directory=Path("runs/sim"))._setup()
    assert (named.config.run_directory, named.config.seed) == (Path("runs/sim"), 1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, EnvironmentSpec]:
    """A session's file, an offline training for it, and its task's specification."""
    directory = tmp_path_factory.mktemp("start")
    file = directory / "session.yaml"
    file.write_text(yaml.safe_dump(picture_session(directory)))
    spec = load_setup(file).environment_spec
    return str(file), offline_training(directory / "offline", spec), spec


def test_finetune_takes_learner_and_data_from_the_training(start: tuple[str, Path, EnvironmentSpec]) -> None:
    session, training, spec = start
    setup = Run(session=session, finetune=training, target=0.8)._setup()
    assert setup.config.practice is not None and setup.config.practice.target == 0.8
    assert setup.config.prior_data == training / "prior"
    assert setup.algorithm["sampling"]["prior_share"] == 0.75
    assert setup.environment_spec == spec


def test_resumed_session_learns_as_it_began_though_the_file_that_it_named_has_changed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump({"method": "sac", "batch_size": 64}))
    setup = Run(algorithm=str(mine), run_directory=tmp_path / "run")._setup()
    create(setup.run_directory, setup.config)
    write_algorithm(setup.run_directory, setup.algorithm)
    unchanged = Run(resume=True, run_directory=tmp_path / "run", algorithm=str(mine))._setup()
    assert unchanged.config.algorithm == str(mine)
    mine.write_text(yaml.safe_dump({"method": "sac", "batch_size": 32}))
    resumed = Run(resume=True, run_directory=tmp_path / "run")._setup()
    assert resumed.algorithm["batch_size"] == 64
    assert resumed.config.algorithm == str(tmp_path / "run" / ALGORITHM_FILE)


def test_resumed_practice_rests_on_what_it_was_started_with(
    start: tuple[str, Path, EnvironmentSpec], tmp_path: Path
) -> None:
    session, training, _ = start
    setup = Run(session=session, finetune=training, run_directory=tmp_path / "run")._setup()
    create(setup.run_directory, setup.config)
    write_algorithm(setup.run_directory, setup.algorithm)
    resumed = Run(resume=True, run_directory=tmp_path / "run", episodes=setup.config.episodes + 10)._setup()
    assert basis_of(resumed) == basis_of(setup)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"observation_image": {"width": 20, "height": 20}},
            "was trained with pictures of 16 x 16 pixels, the session",
        ),
        ({"observation": "state"}, "was trained with pictures of 16 x 16 pixels, the session gives no pictures"),
        ({"task": "job-far"}, "is a policy of another task than 'job-far': observation.state_scale"),
    ],
)
def test_policy_that_does_not_fit_the_session_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    start: tuple[str, Path, EnvironmentSpec],
    change: dict[str, Any],
    told: str,
) -> None:
    session, training, _ = start
    file = tmp_path / "session.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(Path(session).read_text()), **change}))
    said = refused(["--session", str(file), "--finetune", str(training)], tmp_path / "run", capsys)
    assert told in said


def test_policy_of_another_method_than_asked_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], start: tuple[str, Path, EnvironmentSpec]
) -> None:
    session, training, _ = start
    asked = ["--session", session, "--finetune", str(training), "--algorithm", "td3"]
    assert "is a policy of 'iql', 'td3' is asked for" in refused(asked, tmp_path / "run", capsys)


def test_folder_without_a_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "belongs to no training" in refused(["--finetune", str(tmp_path)], tmp_path / "run", capsys)


def test_target_without_a_start_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name a policy to start from with --finetune" in refused(["--target", "0.9"], tmp_path / "run", capsys)


def test_options_offer_what_a_session_knows() -> None:
    # A run that a person drives is `tenon record`.
    assert {*typing.get_args(Controller), "teleop"} == set(typing.get_args(ControllerName))
    assert set(typing.get_args(Reward)) == set(typing.get_args(RewardName))


def test_learner_that_the_trainer_would_refuse_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(["--task", "usb", "--controller", "policy", "--algorithm", "iql_daib"], tmp_path / "run", capsys)
    assert "there are no prior data" in said


def test_connector_in_millimetres_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    plug = {"shape": "rectangle", "width_m": 12, "height_m": 4.5}
    file.write_text(yaml.safe_dump({**CONNECTOR, "plug": plug, "depth_m": 8.5}))
    said = refused(["--session", "job", "--connector", str(file)], tmp_path / "run", capsys)
    assert "lengths are in metres, 12 mm is 0.012" in said
    assert "got {" not in said


def test_springs_that_take_much_of_the_push_are_warned_of_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, used = tmp_path / "mine.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump({**CONNECTOR, "retention": {"maximum_n": 12.0}}))
    used.mkdir()
    (used / "there").touch()
    told = ["session", "run", "--task", "usb", "--connector", str(file), "--run-directory", str(used)]
    assert entry.main(told) == USAGE
    assert "warning: retention.maximum_n of 12 N is much of the 17.6 N" in " ".join(capsys.readouterr().err.split())
