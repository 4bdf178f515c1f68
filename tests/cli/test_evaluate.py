"""`tenon evaluate` before its graph starts: which controller acts where nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenon.cli.evaluate import Evaluate
from tenon.cli.run_directory import SESSION_FILE, create
from tenon.session.setup import load_setup


def run_of(path: Path, controller: str) -> Path:
    """A run directory in which that controller practised, without checkpoints."""
    create(path, load_setup("demo", {"controller": controller, "run_directory": path}).config)
    return path


@pytest.mark.parametrize("controller", ["policy", "residual"])
@pytest.mark.parametrize("place", ["", "trainer/checkpoints/update-000000000001", "trainer", "best"])
def test_policy_acts_as_in_the_run_it_is_of(tmp_path: Path, controller: str, place: str) -> None:
    run = run_of(tmp_path / "run", controller)
    assert Evaluate(checkpoint=run / place)._acts == controller
    assert Evaluate(run_directory=run)._acts == controller


def test_run_comes_before_the_session_and_what_is_typed_before_both(tmp_path: Path) -> None:
    run, session = run_of(tmp_path / "run", "residual"), str(run_of(tmp_path / "other", "policy") / SESSION_FILE)
    elsewhere = tmp_path / "checkpoint"
    assert Evaluate(checkpoint=elsewhere, session=session)._acts == "policy"
    assert Evaluate(checkpoint=run / "trainer", session=session)._acts == "residual"
    assert Evaluate(checkpoint=run / "trainer", session=session, controller="policy")._acts == "policy"
    assert Evaluate(checkpoint=elsewhere)._acts == "residual"


@pytest.mark.parametrize("controller", ["p_controller", "p_dither"])
def test_run_of_a_script_says_nothing_of_a_policy(tmp_path: Path, controller: str) -> None:
    place = run_of(tmp_path / "run", controller) / "trainer"
    session = str(run_of(tmp_path / "other", "policy") / SESSION_FILE)
    assert Evaluate(checkpoint=place)._acts == "residual"
    assert Evaluate(checkpoint=place, session=session)._acts == "policy"
