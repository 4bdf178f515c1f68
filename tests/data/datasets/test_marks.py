"""A person's later word on an episode: it counts everywhere, and nothing that was there before is changed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tenon.cli.main import main
from tenon.data.edit.verify import verify
from tenon.data.episodes import EpisodeOutcome, Mark
from tenon.data.marks import FOLDER, MarkError, latest_marking, mark_episode
from tenon.data.prior import read_prior
from tenon.data.repair import repair_episode
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, ObservationSpec
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

from .conftest import Runs, bytes_of

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def say(episode: Episode, mark: Mark, by: str = "ana") -> None:
    mark_episode(episode.layout, episode.contract, mark, by=by, at=NOON)


def test_last_word_counts_the_recording_and_earlier_words_stay(runs: Runs) -> None:
    recorded = runs.record("a", 0, success=False)
    before = bytes_of(recorded.path)
    for mark, result in (("success", "success"), ("discard", "timeout"), ("failure", "failure"), ("", "timeout")):
        say(recorded, mark)
        outcome = runs.store("a").episode(0).outcome
        assert (outcome.mark, outcome.result, outcome.who) == (mark, result, "ana" if mark else "")
    assert runs.store("a").episode(0).recorded_outcome == recorded.outcome
    assert bytes_of(recorded.path) == before
    words = sorted((runs.root / "a" / FOLDER / "episode_000000").iterdir())
    assert [path.name for path in words] == [f"{version:06d}.json" for version in range(1, 5)]


def test_discard_of_the_session_is_taken_back(runs: Runs) -> None:
    outcome = EpisodeOutcome(result="success", mark="discard", who="ben")
    episode = runs.record("a", 0, outcome=outcome)
    say(episode, "")
    assert runs.store("a").episode(0).outcome == EpisodeOutcome(result="success")
    assert len(list(read_prior(runs.root / "a", SPEC))) == 10


def test_repaired_episode_has_the_marks_of_its_original(runs: Runs) -> None:
    episode = runs.record("a", 0)
    say(episode, "discard")
    episode.file.write_bytes(episode.file.read_bytes()[:-100])
    assert repair_episode(episode.path).repaired is not None
    (repaired,) = runs.store("a").episodes()
    assert repaired.layout.is_repaired and repaired.outcome.discarded


@pytest.mark.parametrize("content", ["{", '{"version": 1, "mark": "great"}'])
def test_mark_that_cannot_be_read_leaves_the_episode_out_and_says_what_to_do(runs: Runs, content: str) -> None:
    episode = runs.record("a", 0)
    runs.record("a", 1)
    say(episode, "discard")
    file = runs.root / "a" / FOLDER / episode.path.name / "000001.json"
    file.write_text(content)
    listing = runs.store("a").scan()
    assert [found.number for found in listing.finished] == [1] and listing.to_repair == ()
    (told,) = [problem for report in verify(runs.root / "a") for problem in report.problems]
    assert "cannot be read" in told.what and "Restore it, or delete it" in told.what


def test_marks_of_another_folder_are_refused(runs: Runs) -> None:
    one, other = runs.record("a", 0), runs.record("b", 0)
    say(one, "discard")
    (runs.root / "a" / FOLDER).rename(runs.root / "b" / FOLDER)
    with pytest.raises(MarkError, match="of session 'a', the episode is 0 of 'b'"):
        latest_marking(other.layout, other.contract)


def test_command_marks_and_info_shows_it(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    episode = runs.record("a", 0, success=False)
    assert main(["dataset", "mark", str(episode.path), "success", "--by", "ana"]) == 0
    assert "episode_000000: success, success" in capsys.readouterr().out
    assert main(["dataset", "info", str(runs.root / "a")]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "teleop" in line)
    assert row.count("success") == 2
    marking = latest_marking(episode.layout, episode.contract)
    assert marking is not None and (marking.by, marking.version) == ("ana", 1)
    assert main(["dataset", "mark", str(episode.path), "none"]) == 0
    assert "episode_000000: timeout, without a mark" in capsys.readouterr().out


# -- what is learnt from


@pytest.fixture
def demonstrations(runs: Runs) -> Path:
    """Two good ones, one that a fault ended, one that was stopped, one that was discarded."""
    for number, result in enumerate(("success", "timeout", "fault", "stopped")):
        runs.record("a", number, outcome=EpisodeOutcome(result=result, detail="force" if result == "fault" else ""))
    runs.record("a", 4, outcome=EpisodeOutcome(result="success", mark="discard", who="ana"))
    return runs.root / "a"


def learnt(path: Path, method: str, folder: Path) -> int:
    config = TrainerConfig.model_validate({"method": method, "offline_updates": 1})
    trainer = Trainer.create(config, SPEC, folder, seed=0, prior=path)
    try:
        assert trainer.prior is not None
        return trainer.prior.transitions
    finally:
        trainer.close()


def test_what_broke_off_is_no_example_to_imitate_and_is_experience_all_the_same(
    demonstrations: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert learnt(demonstrations, "bc", tmp_path / "bc") == 20
    for told in ("broke off half-way: fault (force)", "broke off half-way: stopped", "was discarded by ana"):
        assert told in caplog.text
    assert learnt(demonstrations, "iql", tmp_path / "iql") == 40


def test_marks_decide_what_is_learnt_from(demonstrations: Path, tmp_path: Path) -> None:
    store = EpisodeStore(demonstrations)
    for number, mark in ((0, "discard"), (3, "success"), (4, "")):
        say(store.episode(number), mark)
    assert {step.episode for step in read_prior(demonstrations, SPEC, imitated=True)} == {1, 3, 4}
    assert learnt(demonstrations, "bc", tmp_path / "bc") == 30


def test_run_directory_stands_for_its_episodes(runs: Runs) -> None:
    runs.record("demos/episodes", 0)
    assert len(list(read_prior(runs.root / "demos", SPEC))) == 10
