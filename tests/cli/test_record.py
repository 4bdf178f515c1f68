"""`tenon record`, and `tenon session run`, against a session that says more than its recorder keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from tenon.cli import running
from tenon.cli.main import main
from tenon.cli.record import spans
from tenon.cli.running import RecorderErrors
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec, next_number
from tenon.session.machine import DONE, SessionPlan
from tenon.session.statistics import EpisodeSummary, Outcome

TOPIC = TopicSpec("/x", "std_msgs/msg/UInt64", "uint64 data")
FULL = "40 MiB free, 64 MiB are kept in reserve"


@dataclass
class Session:
    """Says that every episode succeeded. lost, lossy: seeds whose episode is not kept at all, or with gaps."""

    episodes: Path
    lost: Collection[int] = ()
    lossy: Collection[int] = ()
    plans: list[SessionPlan] = field(default_factory=list)
    recorder: RecorderErrors = field(default_factory=RecorderErrors)

    def run(self, plan: SessionPlan, title: str, **_: object) -> Any:
        self.plans.append(plan)
        said = [self._episode(plan.controller, plan.seed + index) for index in range(plan.episodes)]
        return SimpleNamespace(result=SimpleNamespace(stop_reason=DONE), episodes=tuple(said))

    def _episode(self, controller: str, seed: int) -> EpisodeSummary:
        number = next_number(self.episodes)
        if seed in self.lost:
            self.recorder.tell(f"episode {number}: {FULL}")
        else:
            contract = EpisodeContract(number=number, robot="sim", task="usb", controller=controller, seed=seed)
            writer = EpisodeWriter(self.episodes, contract, [TOPIC])
            writer.finish(EpisodeOutcome(result="success", complete=seed not in self.lossy))
        return EpisodeSummary(
            number, controller, Outcome.SUCCESS, "", True, 5, 5, 1.0, 2.0, np.zeros(3), seed, 0, mark="success"
        )  # fmt: skip


Typed = Callable[..., tuple[int, Session]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types a command of five episodes; returns its exit status and the session."""

    def run(*arguments: str, **recorder: Sequence[int]) -> tuple[int, Session]:
        session = Session(tmp_path / "run/episodes", **recorder)

        @contextmanager
        def running_session(*_: object, **__: object) -> Iterator[Session]:
            yield session

        monkeypatch.setattr(running, "running_session", running_session)
        return main([*arguments, "--task", "usb", "--episodes", "5", "--seed", "10"]), session

    return run


@pytest.fixture
def record(typed: Typed, tmp_path: Path) -> Typed:
    return partial(typed, "record", "--out", str(tmp_path / "run"))


@pytest.fixture
def session_run(typed: Typed, tmp_path: Path) -> Typed:
    controller = ("--controller", "p_controller")
    return partial(typed, "session", "run", *controller, "--run-directory", str(tmp_path / "run"))


def test_all_that_was_kept_is_no_failure(record: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, session = record()
    assert status == 0 and [(plan.seed, plan.episodes) for plan in session.plans] == [(10, 5)]
    assert "5 episodes (5 success): done" in capsys.readouterr().out


def test_demonstration_that_was_not_written_is_told_with_its_reason_and_done_again(
    record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = record(lost=[11, 14], lossy=[12])
    told = " ".join(capsys.readouterr().err.split())
    assert status == 1 and told.count(FULL) == 3  # that of the last one once more, in the end
    assert f"NOT RECORDED: episode 1: {FULL}" in told and f"NOT RECORDED: episode 3: {FULL}" in told
    assert "3 of them are NOT kept whole" in told and "(seed 11)" in told and "(seed 14)" in told
    assert f"(seed 14). episode 3: {FULL}" in told and "--resume" in told
    status, session = record("--resume")
    assert status == 0 and [(plan.seed, plan.episodes) for plan in session.plans] == [(11, 2), (14, 1)]
    assert "3 of 5 are missing" in " ".join(capsys.readouterr().err.split())
    assert record("--resume")[0] == 1
    assert "all 5 episodes" in " ".join(capsys.readouterr().err.split())


def test_session_that_kept_all_of_its_episodes_is_no_failure(session_run: Typed) -> None:
    assert session_run()[0] == 0


def test_session_says_which_episodes_were_not_kept_and_fails(
    session_run: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = session_run(lost=[11, 14], lossy=[12])
    told = " ".join(capsys.readouterr().err.split())
    assert status == 1
    assert f"NOT RECORDED: episode 1: {FULL}" in told and f"NOT RECORDED: episode 3: {FULL}" in told
    assert "3 of them are NOT kept whole" in told and "(seed 11)" in told and "(seed 14)" in told


def test_spans_join_seeds_that_follow_each_other() -> None:
    assert spans([]) == []
    assert spans([3, 4, 7, 9, 10]) == [range(3, 5), range(7, 8), range(9, 11)]


@pytest.mark.parametrize("option", ["--by", "--who"])
def test_recording_says_who_demonstrates(record: Any, tmp_path: Path, option: str) -> None:
    assert record(option, "ada")[0] == 0
    assert yaml.safe_load((tmp_path / "run/session.yaml").read_text())["operator"] == "ada"


def test_recording_that_is_there_is_not_written_over_and_says_how_to_go_on(
    record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record()[0] == 0
    assert record()[0] == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "type the same line with --resume" in told and "name another --out" in told


def test_demonstrations_that_are_to_be_labelled_keep_their_pictures(record: Any, tmp_path: Path) -> None:
    assert record("--observation", "image")[0] == 0
    assert yaml.safe_load((tmp_path / "run/session.yaml").read_text())["observation"] == "image"
