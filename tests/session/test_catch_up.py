"""A trainer that was dead, or lost what a power cut took, holds afterwards what one that was there took as it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.data.episodes import EpisodeContract, EpisodeError, EpisodeOutcome, Result
from tenon.data.store import EpisodeStore
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec, Transition
from tenon.session.catch_up import missed_episodes
from tenon.session.recordings import Recordings
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

LENGTH, BROKEN_OFF_AFTER = 5, 3
SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=2), action_size=1)
CONFIG = TrainerConfig(method="sac", algorithm={"hidden_sizes": [4]}, batch_size=4)


@dataclass(frozen=True)
class Recorded:
    """A finished recording, as the store gives it."""

    path: Path
    contract: EpisodeContract
    outcome: EpisodeOutcome
    steps: tuple[Transition, ...]


class Store:
    """A stand-in for tenon.data.store.EpisodeStore."""

    def __init__(self, recorded: list[Recorded]) -> None:
        self._recorded = recorded

    def episodes(self) -> tuple[Recorded, ...]:
        return tuple(self._recorded)

    def transitions(self, episode: Recorded) -> Iterator[Transition]:
        return iter(episode.steps)


def recorded(number: int, result: Result, *, train: bool = True) -> Recorded:
    """An episode that ran to its end, unless a fault or a person broke it off."""
    whole = result in ("success", "timeout")
    steps = tuple(step_of(number, step) for step in range(LENGTH if whole else BROKEN_OFF_AFTER))
    contract = EpisodeContract(number=number, robot="ur5", task="usb", session="s", session_episode=number, train=train)
    return Recorded(Path(f"episode_{number}"), contract, EpisodeOutcome(result=result), steps)


def step_of(episode: int, step: int) -> Transition:
    rng = np.random.default_rng((episode, step))
    seen, then = (Observation(rng.normal(size=2).astype(np.float32)) for _ in range(2))
    action = rng.uniform(-1.0, 1.0, 1).astype(np.float32)
    return Transition("s", episode, step, seen, action, 0.0, then, False, truncated=step == LENGTH - 1)


def store_of(*found: Recorded) -> EpisodeStore:
    store: EpisodeStore = Store(list(found))  # type: ignore[assignment]
    return store


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer.create(CONFIG, SPEC, tmp_path, seed=0)


def catch_up(store: EpisodeStore, trainer: Trainer) -> None:
    for transitions in missed_episodes(store, trainer):
        for transition in transitions:
            trainer.add(transition)


@pytest.mark.parametrize("broken_off", ["fault", "stopped", "unknown"])
def test_trainer_that_lost_steps_of_an_unfinished_trial_ends_as_one_that_was_there(
    trainer: Trainer, broken_off: Result
) -> None:
    found = [recorded(0, "timeout"), recorded(1, broken_off), recorded(2, "success")]
    as_they_came = [transition for episode in found for transition in episode.steps]
    for transition in as_they_came[: LENGTH + 1]:
        trainer.add(transition)
    store = store_of(*found)
    catch_up(store, trainer)
    assert Recordings(store).steps_for_training(SPEC) == trainer.replay.transitions == len(as_they_came)
    states = trainer.replay.gather(torch.arange(len(as_they_came))).observation.state.numpy()
    np.testing.assert_array_equal(states, [transition.observation.state for transition in as_they_came])


def test_what_is_held_is_not_taken_again_and_evaluations_never_are(trainer: Trainer) -> None:
    store = store_of(recorded(0, "timeout"), recorded(1, "fault"), recorded(2, "timeout", train=False))
    for _ in range(2):
        catch_up(store, trainer)
        assert trainer.replay.transitions == LENGTH + BROKEN_OFF_AFTER


def test_recording_that_cannot_be_used_keeps_the_others_from_nothing(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    def cut_off() -> Iterator[Transition]:
        yield step_of(0, 0)
        raise EpisodeError("episode_0: a message on /transition cannot be used")

    bad = replace(recorded(0, "timeout"), steps=cut_off())  # type: ignore[arg-type]
    catch_up(store_of(bad, recorded(1, "timeout")), trainer)
    assert trainer.replay.transitions == LENGTH
    assert "episode_0: a message on /transition" in caplog.text


def test_step_that_no_trainer_takes_is_not_waited_for() -> None:
    bad = recorded(0, "fault")
    nothing_finite = Observation(np.full(2, np.nan, np.float32))
    steps = (*bad.steps[:-1], replace(bad.steps[-1], next_observation=nothing_finite))
    assert Recordings(store_of(replace(bad, steps=steps))).steps_for_training(SPEC) == BROKEN_OFF_AFTER - 1


def test_every_classifier_that_paid_is_named_once() -> None:
    found = recorded(0, "timeout")
    paid_by = ("", "0f3a", "0f3a", "77c1", "0f3a")
    steps = tuple(replace(step, reward_version=version) for step, version in zip(found.steps, paid_by, strict=True))
    assert Recordings(store_of(replace(found, steps=steps))).reward_versions(SPEC) == ("0f3a", "77c1")
