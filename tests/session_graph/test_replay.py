"""An episode played again through mux and supervisor: the arm goes where it went, and the report says how far off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tenon_msgs.action import RunSession

from tenon.cli.main import main
from tenon.data.store import Episode, EpisodeStore
from tenon.session.replaying import compare, read_steps
from tenon_session.replay_node import ReplayNode
from tenon_session.testing.one_process import one_process
from tenon_session.testing.sessions import HORIZON_STEPS, learning_session

PERIOD_S, VALIDITY_NS, SEED = 0.1, 200_000_000, 5

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
