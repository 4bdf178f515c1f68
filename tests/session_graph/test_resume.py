"""A session that was stopped or killed goes on: nothing that was finished is lost, and training is the same."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from rosbags.highlevel import AnyReader

from tenon.data.batch import Batch
from tenon.data.mcap_check import check_mcap
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, Observation, Transition
from tenon.session.setup import load_setup
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer
from tenon_graph import contract
from tenon_session.testing.sessions import CHECKPOINT_EVERY_UPDATES, WARMUP_TRANSITIONS, learning_session, training_goal
from tenon_session.testing.stage import Stage

RUN_TIMEOUT_S = 300.0
EPISODES = 4
KILLS = 3
OFFLINE_UPDATES = 30
SEED = 0

pytestmark = [pytest.mark.session, pytest.mark.timeout(900)]


def test_stopped_and_resumed_session_trains_to_the_weights_of_an_uninterrupted_stream(tmp_path: Path) -> None:
    session = learning_session(tmp_path)
    with Stage(session, tmp_path).open() as first:
        probe = first.probe
        probe.listen(contract.TRANSITION)
        probe.finish_run(probe.start_run(training_goal(EPISODES)), RUN_TIMEOUT_S)
        stopped = probe.start_run(training_goal(EPISODES, seed=100))
        probe.wait_for(lambda: _steps_of(first, EPISODES) >= 3, "a few steps of another episode")
        assert probe.trigger(contract.STOP_SERVICE).success
        assert probe.finish_run(stopped).stop_reason == "canceled"
    with Stage(session, tmp_path).open() as again:
        run = again.probe.start_run(training_goal(EPISODES + 2, resume=True))
        result = again.probe.finish_run(run, RUN_TIMEOUT_S)
        assert result.episodes == 2, "four of the six were done before"
        again.probe.wait_for(lambda: not again.probe.trainer_state().behind, "training")
    _assert_trained_as_without_interruption(again.run_directory, tmp_path / "offline")


def test_offline_training_is_continued_by_the_trainer_node_bit_equal(tmp_path: Path) -> None:
    """The folder that an offline script left is the node's; what it practises then is as if nobody had stopped."""
    session = learning_session(tmp_path)
    algorithm = Path(session["algorithm"])
    more = {"offline_updates": OFFLINE_UPDATES, "sampling": {"prior_share": 0.25, "n_step": 3}}
    algorithm.write_text(yaml.safe_dump({**yaml.safe_load(algorithm.read_text()), **more}))
    stage = Stage(session, tmp_path)
    setup = load_setup(tmp_path / "session.yaml")
    trainer = Trainer.create(
        TrainerConfig.model_validate(dict(setup.algorithm)),
        setup.environment_spec,
        setup.trainer_directory,
        seed=setup.config.seed,
        prior=_demonstrations(setup.environment_spec),
    )
    trainer.train_offline()
    trainer.close()
    with stage.open():
        stage.probe.finish_run(stage.probe.start_run(training_goal(EPISODES)), RUN_TIMEOUT_S)
        stage.probe.wait_for(lambda: not stage.probe.trainer_state().behind, "training")
    trained = Trainer.resume(stage.run_directory / "trainer")
    assert trained.updates > OFFLINE_UPDATES
    versions = trained.replay.rows(torch.arange(trained.replay.transitions))["policy_version"]
    assert versions.min() >= OFFLINE_UPDATES, "the robot began with what was learnt offline"
    trained.replay.close()
    assert trained.prior is not None
    trained.prior.close()
    demonstrations = _demonstrations(setup.environment_spec)
    _assert_trained_as_without_interruption(stage.run_directory, tmp_path / "offline", demonstrations)


def test_killed_trainer_and_killed_session_lose_no_finished_episode(tmp_path: Path) -> None:
    session = learning_session(tmp_path)
    generator = np.random.default_rng(SEED)
    with Stage(session, tmp_path).open() as first:
        _train_through_kills(first, generator)
        before = _finished(first)
        first.probe.start_run(training_goal(1000, seed=100))
        first.probe.wait_for(lambda: len(_finished(first)) > len(before), "an episode of the next run")
        time.sleep(float(generator.uniform(0.0, 2.0)))  # anywhere in an episode
        first.kill_all()
    before = _finished(first)
    with Stage(session, tmp_path).open() as again:
        durable = again.probe.trainer_state()
        assert durable.updates >= CHECKPOINT_EVERY_UPDATES, "it did not begin anew"
        again.probe.finish_run(again.probe.start_run(training_goal(2, seed=200)), RUN_TIMEOUT_S)
        again.probe.wait_for(lambda: len(_finished(again)) == len(before) + 2, "the last episode on disk")
        again.probe.wait_for(lambda: again.probe.trainer_state().updates > durable.updates, "more training")
    after = _finished(again)
    assert [episode.number for episode in after[: len(before)]] == [episode.number for episode in before]
    assert len({episode.number for episode in after}) == len(after)
    assert min(episode.number for episode in after[len(before) :]) > max(episode.number for episode in before)
    _assert_whole(after)
    _assert_trained_on(again.run_directory, after)


def _demonstrations(spec: EnvironmentSpec) -> list[Transition]:
    """Two episodes of nonsense that fits the task."""
    rng, length = np.random.default_rng(SEED), 10
    return [
        Transition(
            session="demonstration",
            episode=episode,
            step=step,
            observation=Observation(rng.normal(size=spec.observation.state_size).astype(np.float32)),
            action=rng.uniform(-1.0, 1.0, spec.action_size).astype(np.float32),
            reward=float(rng.random()),
            next_observation=Observation(rng.normal(size=spec.observation.state_size).astype(np.float32)),
            terminated=False,
            truncated=step == length - 1,
        )
        for episode in range(2)
        for step in range(length)
    ]


def _train_through_kills(stage: Stage, generator: np.random.Generator) -> None:
    """A training run in which the trainer dies at random points and is started again."""
    probe = stage.probe
    run = probe.start_run(training_goal(1000))
    for _ in range(KILLS):
        done = len(_finished(stage))
        probe.wait_for(lambda done=done: len(_finished(stage)) > done, "an episode")
        time.sleep(float(generator.uniform(0.0, 1.0)))  # anywhere in an episode
        stage.kill("trainer_node")
        stage.restart("trainer_node")
        began = probe.trainer_state().updates
        probe.wait_for(lambda began=began: probe.trainer_state().updates > began, "training after the kill")
    done = len(_finished(stage))
    probe.wait_for(lambda: len(_finished(stage)) > done, "an episode after the last kill")
    assert probe.trigger(contract.STOP_SERVICE).success
    probe.finish_run(run)


def _steps_of(stage: Stage, episode: int) -> int:
    return sum(msg.episode == episode for msg in stage.probe.heard(contract.TRANSITION))


def _finished(stage: Stage) -> tuple[Episode, ...]:
    return EpisodeStore(stage.run_directory / "episodes").episodes()


def _assert_whole(episodes: tuple[Episode, ...]) -> None:
    for episode in episodes:
        assert check_mcap(episode.file) == []
        with AnyReader([episode.path]) as reader:
            assert reader.message_count > 0


def _assert_trained_on(run_directory: Path, episodes: tuple[Episode, ...]) -> None:
    """Every episode that ran to its end is in the replay, once, as it was recorded."""
    trainer = Trainer.resume(run_directory / "trainer")
    store = EpisodeStore(run_directory / "episodes")
    numbers = torch.arange(trainer.replay.transitions)
    rows = trainer.replay.rows(numbers)
    keys = list(zip(rows["session"].tolist(), rows["episode"].tolist(), rows["step"].tolist(), strict=True))
    assert len(set(keys)) == len(keys), "no step twice"
    for episode in episodes:
        if episode.outcome.result in ("success", "timeout"):
            assert trainer.has_episode(episode.contract.session, episode.contract.session_episode), episode.number
            assert len(list(store.transitions(episode))) == episode.counts["/transition"]


def _assert_trained_as_without_interruption(
    run_directory: Path, scratch: Path, prior: list[Transition] | None = None
) -> None:
    """Feeds the recorded episodes, in order, to a trainer that is never interrupted."""
    store = EpisodeStore(run_directory / "episodes")
    trained = Trainer.resume(run_directory / "trainer")
    offline = Trainer.create(trained.config, trained.spec, scratch, seed=trained.seed, prior=prior)
    offline.train_offline()
    for episode in store.episodes():
        for transition in store.transitions(episode):
            offline.add(transition)
            while offline.update_due() and offline.updates < trained.updates:
                offline.update()
    assert offline.replay.transitions == trained.replay.transitions
    everything = torch.arange(offline.replay.transitions)
    _assert_same_batch(offline.replay.gather(everything), trained.replay.gather(everything))
    assert offline.updates == trained.updates
    practised = trained.updates - trained.config.offline_updates
    assert practised >= trained.replay.transitions - WARMUP_TRANSITIONS - 1, "all but what a stop cut off"
    ours, theirs = offline.learner.state(), trained.learner.state()
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in ours.tensors.items():
        assert torch.equal(tensor, theirs.tensors[name]), name


def _assert_same_batch(ours: Batch, theirs: Batch) -> None:
    assert torch.equal(ours.observation.state, theirs.observation.state)
    assert torch.equal(ours.next_observation.state, theirs.next_observation.state)
    for name in ("action", "reward", "terminated"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
