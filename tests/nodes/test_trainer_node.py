"""The node of the trainer: one training, whoever drives it, and no policy before the prior data have taught one."""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
import torch
import yaml
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger
from tenon_msgs.msg import PolicyWeights, TrainerState
from tenon_msgs.msg import Transition as TransitionMsg

from tenon.algorithms import METHODS, Metrics
from tenon.algorithms.iql import IQL
from tenon.configuration import ConfigurationError
from tenon.data.checkpoint import CheckpointError, CheckpointFolder
from tenon.data.transitions import EnvironmentSpec, Observation, Transition
from tenon.session.setup import load_setup
from tenon.training.config import TrainerConfig
from tenon.training.loop import LoopCallback, train_gym
from tenon.training.trainer import Trainer
from tenon_graph import contract
from tenon_graph.node import GraphNode
from tenon_learning.trainer_node import TrainerNode

OFFLINE_UPDATES, WARMUP, EPISODES, LENGTH = 20, 5, 3, 6
SEED = 4


class Walk:
    """Nonsense that fits the session's task."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._spec = spec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._rng, self._steps = np.random.default_rng(seed), 0
        return self._see(), {}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        return self._see(), float(self._rng.normal()), False, self._steps == LENGTH, {}

    def _see(self) -> Any:
        return self._rng.normal(size=self._spec.observation.state_size).astype(np.float32)


class Bench:
    """The trainer's node, and everybody else."""

    def __init__(self, session: Path) -> None:
        rclpy.init(args=["--ros-args", "-p", f"session:={session}"])
        self.weights: list[PolicyWeights] = []
        self._others = GraphNode("others")
        self._others.subscribe(contract.POLICY_WEIGHTS, self.weights.append)
        self.states: list[TrainerState] = []
        self._others.subscribe(contract.TRAINER_STATE, self.states.append)
        self._publisher = self._others.advertise(contract.TRANSITION)
        self._saver = self._others.create_client(Trigger, contract.SAVE_TRAINING_SERVICE)
        self._node = TrainerNode()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._others)
        self._executor.add_node(self._node)

    def say(self, transition: Transition) -> None:
        self.publish(to_msg(transition))

    def publish(self, msg: TransitionMsg) -> None:
        self._publisher.publish(msg)

    def save(self) -> Trigger.Response:
        answer = self._saver.call_async(Trigger.Request())
        self.serve_until(answer.done)
        return answer.result()

    def serve_until(self, condition: Callable[[], bool]) -> None:
        """The test's time-out ends it otherwise."""
        while not condition():
            self._executor.spin_once(timeout_sec=1.0)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._others.destroy_node()
        rclpy.try_shutdown()


def to_msg(transition: Transition) -> TransitionMsg:
    msg = TransitionMsg(session=transition.session, episode=transition.episode, step=transition.step, train=True)
    msg.state, msg.action = array("f", transition.observation.state), array("f", transition.action)
    msg.next_state, msg.reward = array("f", transition.next_observation.state), transition.reward
    msg.terminated, msg.truncated = transition.terminated, transition.truncated
    msg.policy_version = transition.policy_version
    return msg


@contextmanager
def node_of(session: Path) -> Iterator[Bench]:
    bench = Bench(session)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")


def session_of(directory: Path, method: str, **changes: Any) -> Path:
    """The file of a session that trains small networks with this method."""
    directory.mkdir(exist_ok=True)
    algorithm = {
        "method": method,
        "batch_size": 8,
        "offline_updates": OFFLINE_UPDATES,
        "warmup_transitions": WARMUP,
        "checkpoint_every_updates": 7,
        "sampling": {"prior_share": 0.5, "n_step": 2},
        "replay": {"capacity": 1000},
        "algorithm": {"hidden_sizes": [8, 8]},
    }
    (directory / "algorithm.yaml").write_text(yaml.safe_dump(algorithm))
    session = {
        "name": "node",
        "robot": "sim",
        "task": "easy",
        "algorithm": str(directory / "algorithm.yaml"),
        "episodes": 1,
        "seed": SEED,
        "run_directory": str(directory / "run"),
        **changes,
    }
    (directory / "session.yaml").write_text(yaml.safe_dump(session))
    return directory / "session.yaml"


def demonstrations(spec: EnvironmentSpec) -> list[Transition]:
    env, rng = Walk(spec), np.random.default_rng(SEED)
    collected = []
    for episode in range(2):
        state, _ = env.reset(seed=episode)
        for step in range(LENGTH):
            action = rng.uniform(-1.0, 1.0, spec.action_size).astype(np.float32)
            following, reward, _, ended, _ = env.step(action)
            seen, then = Observation(state), Observation(following)
            collected.append(
                Transition("demonstrations", episode, step, seen, action, reward, then, False, truncated=ended)
            )
            state = following
    return collected


def offline(session: Path, directory: Path) -> Trainer:
    """A training that has done its updates on prior data, by a script."""
    setup = load_setup(session)
    config, spec = TrainerConfig.model_validate(dict(setup.algorithm)), setup.environment_spec
    trainer = Trainer.create(config, spec, directory, seed=SEED, prior=demonstrations(spec))
    trainer.train_offline()
    return trainer


def close(trainer: Trainer) -> dict[str, torch.Tensor]:
    trainer.close()
    return trainer.learner.state().tensors


class Listener(LoopCallback):
    """Keeps what a loop collects."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.updates = 0

    def on_transition(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def on_update(self, metrics: Metrics) -> None:
        self.updates += 1


@pytest.mark.parametrize("method", sorted(METHODS))
def test_offline_checkpoint_is_continued_bit_equal_by_loop_node_and_uninterrupted_script(
    tmp_path: Path, method: str
) -> None:
    """One folder, three ways on from it; the loop's steps are those that the others are given."""
    session = session_of(tmp_path / "node", method)
    close(offline(session, tmp_path / "loop"))
    shutil.copytree(tmp_path / "loop", tmp_path / "node" / "run" / "trainer")

    resumed, heard = Trainer.resume(tmp_path / "loop"), Listener()
    train_gym(Walk(resumed.spec), resumed, EPISODES, rng=np.random.default_rng(SEED), callbacks=[heard])
    total = resumed.updates
    assert heard.updates == total - OFFLINE_UPDATES == EPISODES * LENGTH - WARMUP
    by_loop = close(resumed)

    with node_of(session) as bench:
        for transition in heard.transitions:
            bench.say(transition)
        bench.serve_until(lambda: bool(bench.weights) and bench.weights[-1].version == total)
    node = Trainer.resume(tmp_path / "node" / "run" / "trainer")

    script = offline(session, tmp_path / "script")
    for transition in heard.transitions:
        script.add(transition)
    while script.update_due():
        script.update()

    assert node.updates == script.updates == total
    by_node, by_script = node.learner.state().tensors, script.learner.state().tensors
    for name, tensor in by_loop.items():
        assert torch.equal(tensor, by_node[name]), name
        assert torch.equal(tensor, by_script[name]), name


def test_full_disk_stops_the_training_in_order_and_not_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(tmp_path / "node", "iql")
    close(offline(session, tmp_path / "node" / "run" / "trainer"))

    def full(*_: object) -> None:
        raise CheckpointError("update-21: cannot be written: No space left on device")

    with node_of(session) as bench:
        monkeypatch.setattr(CheckpointFolder, "save", full)
        answer = bench.save()
        assert not answer.success and "No space left on device" in answer.message
        bench.serve_until(lambda: bool(bench.states) and bench.states[-1].fault != "")
    assert "No space left on device" in bench.states[-1].fault


def test_message_that_makes_no_transition_is_refused_and_training_goes_on(tmp_path: Path) -> None:
    session = session_of(tmp_path / "node", "iql")
    close(offline(session, tmp_path / "node" / "run" / "trainer"))
    transitions = demonstrations(load_setup(session).environment_spec)
    unreadable = to_msg(transitions[0])
    unreadable.image.height, unreadable.image.width, unreadable.image.encoding = 2, 2, "16UC1"
    with node_of(session) as bench:
        bench.publish(unreadable)
        for transition in transitions:
            bench.say(transition)
        bench.serve_until(lambda: bool(bench.states) and bench.states[-1].transitions == len(transitions))
    assert bench.states[-1].fault == ""


def test_who_waits_for_training_is_told_also_of_an_episode_whose_last_step_is_refused(tmp_path: Path) -> None:
    session = session_of(tmp_path / "node", "iql", wait_for_training=True)
    close(offline(session, tmp_path / "node" / "run" / "trainer"))
    last = to_msg(demonstrations(load_setup(session).environment_spec)[-1])
    last.image.height, last.image.width, last.image.encoding = 2, 2, "16UC1"
    with node_of(session) as bench:
        bench.publish(last)
        bench.serve_until(lambda: bool(bench.states) and bench.states[-1].step == last.step)


def test_data_that_a_method_refuses_stop_the_training_in_order_and_not_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some methods see only in their first batch that the data lack what they need."""
    session = session_of(tmp_path / "node", "iql")
    close(offline(session, tmp_path / "node" / "run" / "trainer"))

    def refuse(*_: object) -> None:
        raise ConfigurationError("a compass needs the states of success")

    with node_of(session) as bench:
        monkeypatch.setattr(IQL, "update", refuse)
        for transition in demonstrations(load_setup(session).environment_spec):
            bench.say(transition)
        bench.serve_until(lambda: bool(bench.states) and bench.states[-1].fault != "")
    assert "a compass needs" in bench.states[-1].fault


def test_no_policy_goes_out_before_the_updates_on_prior_data_are_done(tmp_path: Path) -> None:
    """In the offline phase the session waits: its first episode runs with what the data taught."""
    source = offline(session_of(tmp_path / "source", "iql"), tmp_path / "source" / "training")
    source.close()
    session = session_of(tmp_path / "node", "iql", prior_data=str(tmp_path / "source" / "training" / "prior"))
    with node_of(session) as bench:
        bench.serve_until(lambda: bool(bench.weights))
    assert [weights.version for weights in bench.weights] == [OFFLINE_UPDATES]
