"""The graph under measurement: a session at real time without lockstep, with a picture in every observation.

The trainer is no part of the launched graph: it comes and goes between the rounds, so that the same session is measured
with and without it. Its replay is filled beforehand, and its ratio of updates to transitions makes it train without
pause.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
import yaml

from tenon.cli.settings import launch_arguments, launch_file, nodes_of
from tenon.configuration import load_yaml
from tenon.configuration.resolve import ConfigKind, resolve
from tenon.data.transitions import EnvironmentSpec, Observation, Transition
from tenon.session.setup import SessionSetup, load_setup
from tenon.training.config import TrainerConfig
from tenon.training.snapshot import PolicySnapshot
from tenon.training.trainer import Trainer
from tenon_session.graph import SessionGraph, die_with_parent

SEED = 0
NEVER_DONE = 1e6
"""Updates per transition: more than any run can do."""
FILLED_EPISODES, FILLED_STEPS = 10, 50
TRAINER_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.05
ENDLESS_EPISODES = 1_000_000


class GraphBenchError(RuntimeError):
    """The graph does not do what is to be measured. The message says what, and where its logs are."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A session made for the measurement, in a directory of its own. policy: what acts while there is no trainer."""

    setup: SessionSetup
    session_file: Path
    policy: PolicySnapshot


def prepare(directory: Path) -> Bench:
    """Writes the session, its algorithm, a goal image and a filled replay below ``directory``."""
    algorithm = load_yaml(resolve(ConfigKind.ALGORITHMS, "sac"))
    algorithm |= {"updates_per_transition": NEVER_DONE, "warmup_transitions": algorithm["batch_size"]}
    algorithm_file = directory / "algorithm.yaml"
    algorithm_file.write_text(yaml.safe_dump(algorithm))
    goal_image = directory / "goal.png"
    cv2.imwrite(str(goal_image), np.random.default_rng(SEED).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    session = {
        "cameras": ["wrist"],
        "algorithm": str(algorithm_file),
        "reward": "goal_image",
        "goal_image": str(goal_image),
        "lockstep_timeout_s": None,
        "real_time_factor": 1.0,
        "run_directory": str(directory / "run"),
        "seed": SEED,
        "episodes": ENDLESS_EPISODES,
    }
    setup = load_setup("sim", session)
    session_file = directory / "session.yaml"
    session_file.write_text(yaml.safe_dump(setup.config.model_dump(mode="json"), sort_keys=False))
    return Bench(setup, session_file, _fill_replay(setup))


def _fill_replay(setup: SessionSetup) -> PolicySnapshot:
    config = TrainerConfig.model_validate(dict(setup.algorithm))
    trainer = Trainer.create(config, setup.environment_spec, setup.trainer_directory, seed=setup.config.seed)
    rng = np.random.default_rng(SEED)
    for episode in range(FILLED_EPISODES):
        for step in range(FILLED_STEPS):
            trainer.add(_random_transition(setup.environment_spec, episode, step, rng))
    snapshot = trainer.snapshot()
    trainer.close()
    return snapshot


def _random_transition(spec: EnvironmentSpec, episode: int, step: int, rng: np.random.Generator) -> Transition:
    def observation() -> Observation:
        scale = np.array(spec.observation.state_scale or 1.0)
        return Observation((rng.normal(size=spec.observation.state_size) * scale).astype(np.float32))

    return Transition(
        session="filled",
        episode=episode,
        step=step,
        observation=observation(),
        action=rng.uniform(-1.0, 1.0, spec.action_size).astype(np.float32),
        reward=0.0,
        next_observation=observation(),
        terminated=False,
        truncated=step == FILLED_STEPS - 1,
    )


@contextlib.contextmanager
def running_graph(bench: Bench, present_nodes: Callable[[], list[str]]) -> Iterator[SessionGraph]:
    """The graph without its trainer, up. Raises tenon_session.graph.GraphError."""
    arguments = launch_arguments(bench.session_file, bench.setup, trainer=False)
    with SessionGraph(launch_file(), arguments, bench.setup.run_directory / "log") as graph:
        graph.wait_until_ready(nodes_of(bench.setup, trainer=False), present_nodes)
        yield graph


class TrainerProcess:
    """The trainer node, as long as the context lasts, training without pause.

    updates_per_s: what the node last said, 0 before. Raises GraphBenchError when it does not begin to train.
    """

    def __init__(self, bench: Bench, updates_per_s: Callable[[], float]) -> None:
        self._command = [
            *(sys.executable, "-m", "tenon_learning.trainer_node", "--ros-args"),
            *("-p", f"session:={bench.session_file}", "-p", f"run_directory:={bench.setup.run_directory}"),
        ]
        self._log = bench.setup.run_directory / "log" / "benchmark_trainer.log"
        self._updates_per_s = updates_per_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> TrainerProcess:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            environment = {"OMP_NUM_THREADS": "1", **os.environ}
            self._process = subprocess.Popen(
                self._command, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent()
            )
        deadline = time.monotonic() + TRAINER_TIMEOUT_S
        while not self._updates_per_s():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise GraphBenchError(f"the trainer does not train:\n{self._log.read_text()}")
            time.sleep(POLL_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def router_pid() -> int | None:
    """Process id of the router that this process has started."""
    for child in psutil.Process().children():
        if "embedded_ros2.router" in child.cmdline():
            return child.pid
    return None
