"""An episode played again through mux and supervisor: the arm goes where it went, and the report says how far off."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml
from tenon_msgs.action import RunSession

from tenon.cli.errors import FAILURE, USAGE
from tenon.cli.main import main
from tenon.data.edit.contents import read_contents
from tenon.data.edit.copying import copy_episode
from tenon.data.store import Episode, EpisodeStore, read_episode
from tenon.session.replaying import OBSERVATION_TOPIC, SAFE_TOPIC, compare, read_steps
from tenon_session.introspection import stamp_ns_of
from tenon_session.replay_node import ReplayNode
from tenon_session.testing.one_process import one_process
from tenon_session.testing.sessions import HORIZON_STEPS, learning_session, taught_session

PERIOD_S, VALIDITY_NS, SEED = 0.1, 200_000_000, 5
HELD = 4
"""A step in the middle."""

pytestmark = [pytest.mark.session, pytest.mark.timeout(300)]


def run(session: dict[str, Any], directory: Path, controller: str, beside: Any = ()) -> Episode:
    with one_process(session, directory, beside=beside) as probe:
        goal = RunSession.Goal(controller=controller, episodes=1, seed=SEED, record=True, goal_error_m=0.001)
        result = probe.finish_run(probe.start_run(goal), timeout_s=180.0)
        assert result.episodes == 1, result.stop_reason
    return EpisodeStore(directory / "run/episodes").episode(0)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Episode:
    directory = tmp_path_factory.mktemp("recorded")
    return run(learning_session(directory), directory, "p_controller")


def test_the_arm_goes_where_it_went_and_the_report_says_how_far_off(recorded: Episode, tmp_path: Path) -> None:
    steps = read_steps(recorded)
    assert len(steps) == HORIZON_STEPS
    session = learning_session(tmp_path) | {"teleop": "console", "teleop_horizon_s": len(steps) * PERIOD_S}
    replayed = run(session, tmp_path, "teleop", [lambda: ReplayNode(steps, validity_ns=VALIDITY_NS)])
    report = compare(steps, read_steps(replayed))
    assert report.steps == HORIZON_STEPS
    assert report.from_recording.most_m < 0.001 and report.from_recording.most_rad < 0.01
    assert report.from_reference is not None and report.recorded_from_reference is not None
    assert report.from_reference.mean_m == pytest.approx(report.recorded_from_reference.mean_m, abs=0.0005)
    assert replayed.outcome.audit["/teleop/command"].written >= HORIZON_STEPS


def test_the_command_alone_commands_the_arm(recorded: Episode, tmp_path: Path) -> None:
    """A device's node beside it would ask the arm to stay where it is."""
    session, report = tmp_path / "session.yaml", tmp_path / "report.json"
    session.write_text(yaml.safe_dump(learning_session(tmp_path)))
    into = ["--session", str(session), "--run-directory", str(tmp_path / "replay"), "--json", str(report)]
    assert main(["replay", str(recorded.path), *into]) == 0
    figures = json.loads(report.read_text())
    assert figures["steps"] == HORIZON_STEPS
    assert figures["from_recording"]["most_m"] < 0.001


def without_step(recorded: Episode, topics: Collection[str], into: Path) -> Episode:
    """The same episode without what the topics said at step ``HELD``."""
    stamp_ns = read_steps(recorded)[HELD].stamp_ns

    def stays(topic: str, message: Any) -> bool:
        return topic not in topics or stamp_ns_of(message.data) != stamp_ns

    return read_episode(copy_episode(read_contents(recorded), into, "trim", selection=stays))


def test_step_in_which_the_arm_held_is_played_as_a_hold_and_the_later_ones_come_in_time(
    recorded: Episode, tmp_path: Path
) -> None:
    steps = read_steps(without_step(recorded, [SAFE_TOPIC], tmp_path / "held"))
    moves = [number != HELD for number in range(HORIZON_STEPS)]
    assert [step.moves for step in steps] == moves and steps[HELD].tcp_in_base is not None
    session = learning_session(tmp_path) | {"teleop": "console", "teleop_horizon_s": len(steps) * PERIOD_S}
    replayed = run(session, tmp_path, "teleop", [lambda: ReplayNode(steps, validity_ns=VALIDITY_NS)])
    again = read_steps(replayed)
    assert [step.moves for step in again] == moves
    for step, was in zip(again, steps, strict=True):
        if was.moves:
            assert step.reference.tcp_in_base is not None and was.reference.tcp_in_base is not None
            assert step.reference.tcp_in_base.position_m == pytest.approx(was.reference.tcp_in_base.position_m)


def test_step_that_was_not_recorded_at_all_keeps_its_place(recorded: Episode, tmp_path: Path) -> None:
    steps = read_steps(without_step(recorded, [SAFE_TOPIC, OBSERVATION_TOPIC], tmp_path / "lost"))
    assert len(steps) == HORIZON_STEPS
    assert [number for number, step in enumerate(steps) if not step.moves] == [HELD]
    assert steps[HELD].tcp_in_base is None
    report = compare(steps, read_steps(recorded))
    assert report.steps == HORIZON_STEPS and report.from_recording.most_m == 0.0


def refusal(recorded: Episode, session: Path, capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str]:
    """Exit status and what is said, before anything has moved."""
    into = session.parent / "replay"
    status = main(["replay", str(recorded.path), "--session", str(session), "--run-directory", str(into), *typed])
    assert not into.exists()
    return status, " ".join(capsys.readouterr().err.split())


def test_episode_of_another_control_rate_is_refused(
    recorded: Episode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, session = tmp_path / "fast.yaml", tmp_path / "session.yaml"
    task.write_text(yaml.safe_dump({"connector": "easy", "control_period_s": 0.05}))
    quick = {"heartbeat_timeout_s": 0.08, "teleop_timeout_s": 0.08, "reset": {"step_m": 0.01, "lead_m": 0.01}}
    fast = learning_session(tmp_path) | quick | {"control_rate_hz": 20.0, "task": str(task)}
    session.write_text(yaml.safe_dump(fast))
    status, said = refusal(recorded, session, capsys)
    assert status == FAILURE
    assert "rate: recorded at 10 Hz, this session runs at 20 Hz" in said and "--allow-different rate" in said


def test_episode_of_another_calibration_is_refused_and_one_of_a_simulation_on_a_real_arm(
    recorded: Episode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A socket that was taught anew stands elsewhere: the plug would press beside it."""
    status, said = refusal(recorded, taught_session(tmp_path, "sim"), capsys)
    assert status == FAILURE and "calibration: recorded with none, this session has sim-usb v1" in said
    assert "--allow-different calibration" in said
    real = taught_session(tmp_path, "ur5")
    status, said = refusal(recorded, real, capsys, "--robot", "ur5")
    assert status == FAILURE and "this session has ur5-usb v1" in said and "--allow-different" not in said
    status, said = refusal(recorded, real, capsys, "--robot", "ur5", "--allow-different", "calibration")
    assert status == USAGE and "ur5 is a real one" in said


def test_episode_of_another_arm_is_refused(
    recorded: Episode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "session.yaml"
    session.write_text(yaml.safe_dump(learning_session(tmp_path)))
    status, said = refusal(recorded, session, capsys, "--robot", "sawyer-sim")
    assert status == FAILURE and "robot: recorded on 'ur5', this is 'sawyer'" in said
    status, said = refusal(recorded, session, capsys, "--allow-different", "colour")
    assert status == USAGE and "colour is not compared. Compared are: robot, calibration, rate" in said
