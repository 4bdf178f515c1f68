"""`tenon session run --finetune` as an operator types it: a graph of processes that practises, dies and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tenon.cli.checkpoints import policy_of
from tenon.data.store import EpisodeStore
from tenon.session.setup import load_setup
from tenon.training.trainer import Trainer
from tenon_session.testing.sessions import constant_classifier, offline_training, picture_session
from tenon_session.testing.stage import private_network

OFFLINE_UPDATES, TRIALS, HORIZON_STEPS = 20, 6, 5
RUN_TIMEOUT_S = 300.0
POLL_S = 0.1
NEVER, ALWAYS = -2.0, 2.0

pytestmark = [pytest.mark.session, pytest.mark.timeout(900)]


def arguments(directory: Path, logit: float) -> list[str]:
    """A practice of a few trials that a classifier which says ``logit`` pays for. Writes what it needs."""
    session = directory / "session.yaml"
    practice = {"evaluate_every": 3, "draws": 2, "warmup_transitions": 5}
    session.write_text(yaml.safe_dump({**picture_session(directory), "episodes": TRIALS, "practice": practice}))
    offline = offline_training(directory / "offline", load_setup(session).environment_spec, updates=OFFLINE_UPDATES)
    classifier = constant_classifier(directory / "daib", logit)
    paid = ["--reward", "daib", "--reward-checkpoint", str(classifier)]
    return ["--session", str(session), "--finetune", str(offline), *paid, *run_directory(directory)]


def run_directory(directory: Path) -> list[str]:
    return ["--run-directory", str(directory / "run")]


def started(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        command = [sys.executable, "-m", "tenon.cli.main", "session", "run", *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the command and to every process of its graph, as a power cut would."""
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    for pid in family:
        with suppress(ProcessLookupError):  # it may end by itself meanwhile
            os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_for(there: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + RUN_TIMEOUT_S
    while not there.exists():
        assert process.poll() is None and time.monotonic() < deadline_s, log.read_text()
        time.sleep(POLL_S)


def report_of(directory: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((directory / "run" / "report.json").read_text())
    return report


def test_killed_practice_is_resumed_and_hands_over_the_start_that_nothing_beat(tmp_path: Path) -> None:
    log, typed = tmp_path / "log", arguments(tmp_path, NEVER)
    with private_network():
        first = started(typed, log)
        wait_for(tmp_path / "run" / "episodes" / "episode_000003", first, log)
        kill_all(first)
        assert not (tmp_path / "run" / "report.json").exists()
        second = started(["--resume", *run_directory(tmp_path)], log)
        assert second.wait(RUN_TIMEOUT_S) == 0, log.read_text()
    report = report_of(tmp_path)
    assert [look["trials"] for look in report["looks"]] == [0, 3, 6]
    assert (report["trials"], report["why_over"]) == (TRIALS, "all trials are spent")
    assert report["handed_over"] == "start"
    assert policy_of(tmp_path / "run" / "best").version == OFFLINE_UPDATES
    trainer = Trainer.resume(tmp_path / "run" / "trainer")
    contracts = [episode.contract for episode in EpisodeStore(tmp_path / "run" / "episodes").episodes()]
    assert len(contracts) == TRIALS
    assert all(trainer.has_episode(contract.session, contract.session_episode) for contract in contracts)
    # The trial that the kill cut has no episode, and its steps, none to all of them, are experience all the same.
    assert 0 <= trainer.replay.transitions - TRIALS * HORIZON_STEPS <= HORIZON_STEPS
    assert trainer.updates > 0 and report["looks"][-1]["version"] == OFFLINE_UPDATES + trainer.updates
    assert trainer.prior is not None
    trainer.replay.close()
    trainer.prior.close()


def test_practice_ends_at_the_target_and_its_report_names_what_was_paid_for_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with private_network():
        assert started(arguments(tmp_path, ALWAYS), log).wait(RUN_TIMEOUT_S) == 0, log.read_text()
    report = report_of(tmp_path)
    assert report["why_over"] == "the target is met"
    assert (report["trials"], report["before"]["rate"], report["before"]["connected"]) == (3, 1.0, 0)
    assert report["exploits"] == ["episode_000000", "episode_000001", "episode_000002"]
    assert report["newest"]["difference"] == 1.0
    assert len(report["versions"]["reward"]) == 16
    text = (tmp_path / "run" / "report.md").read_text()
    assert f"- `episode_000001`: {HORIZON_STEPS} such steps" in text
    assert text in log.read_text(), "the operator sees it too"
