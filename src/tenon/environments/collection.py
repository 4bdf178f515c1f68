"""Recorded episodes of one connector by the scripted strategy, as a session would have recorded them.

An episode follows from (seed, connector, episode) alone, so a collection that was killed goes on where it was and ends
with the same files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tenon.configuration import Config
from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.data.domains import Domain, folder_lock, set_task
from tenon.data.encode import MessageEncoder, header_fields, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec, layout_of
from tenon.data.mapped_array import StorageError
from tenon.data.store import TRANSITION_TOPIC, read_episode
from tenon.data.transitions import FloatArray, Observation
from tenon.environments.insertion import InsertionEnv
from tenon.environments.job_scripts import JobScript, JobScriptConfig
from tenon.environments.scripted import ScriptedEpisode, run_script
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig

SUMMARY_TOPIC = "/session/episode"
CONTROLLER = "job_script"
_NS_PER_S = 1_000_000_000


class CollectionConfig(Config):
    """What is collected of each connector."""

    robot: str = "ur5"
    tasks: tuple[str, ...] = Field(
        default=("job-near", "job-far"), min_length=1, description="in turn, one per episode: starts near and far"
    )
    seated_every: int = Field(
        default=2, ge=1, description="of so many rounds of the tasks one starts with the plug in the socket; ours"
    )
    episodes: int = Field(
        default=20, ge=1, description="per connector; 40 in daib.md 8.1 (b), of fewer connectors: looks count more"
    )
    seed: int = Field(default=0, ge=0)
    script: JobScriptConfig = JobScriptConfig()


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """A connector to collect data of. name: of the domain and its folder."""

    name: str
    connector: ConnectorConfig
    domain: Domain


@dataclass(frozen=True, slots=True)
class CollectionSetup:
    """What a collection is made with, read once: files that change meanwhile do not matter.

    topics: /transition and /session/episode.
    """

    config: CollectionConfig
    arm: ArmConfig
    tasks: tuple[InsertionTaskConfig, ...]
    topics: tuple[TopicSpec, ...]


def load_collection(config: CollectionConfig, topics: Sequence[TopicSpec]) -> CollectionSetup:
    """Raises ConfigurationError."""
    return CollectionSetup(
        config=config,
        arm=load_named(ArmConfig, ConfigKind.ARMS, config.robot),
        tasks=tuple(load_named(InsertionTaskConfig, ConfigKind.TASKS, name) for name in config.tasks),
        topics=tuple(topics),
    )


def episode_seed(config: CollectionConfig, name: str, episode: int) -> int:
    """Of the episode's draw; also opens the generator of its script."""
    text = json.dumps([config.seed, name, episode])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def collect_domain(out: Path, plan: DomainPlan, setup: CollectionSetup, on_episode: Callable[[int], None]) -> None:
    """Records those of the episodes of ``out/plan.name`` that are not there yet.

    on_episode: told each episode that is there, by its number. Waits for another process that is at the same connector.
    What a killed collection left of an unfinished episode is removed, for it comes again. Raises StorageError where
    finished episodes were collected otherwise.
    """
    folder, config = out / plan.name, setup.config
    with folder_lock(folder):
        recording = _Recording(folder, plan, setup)
        missing = []
        for episode in range(config.episodes):
            if recording.has(episode):
                on_episode(episode)
            else:
                missing.append(episode)
        for number in range(len(setup.tasks)):
            chosen = [episode for episode in missing if episode % len(setup.tasks) == number]
            if chosen:
                _collect(recording, number, chosen, on_episode)


def _collect(recording: _Recording, task: int, episodes: Sequence[int], on_episode: Callable[[int], None]) -> None:
    setup = recording.setup
    env = InsertionEnv(setup.arm, recording.plan.connector, setup.tasks[task], observation="image")
    try:
        set_task(recording.folder.parent, env.spec)
        for episode in episodes:
            recording.record(env, setup.config.tasks[task], episode)
            on_episode(episode)
    finally:
        env.close()


def starts_seated(config: CollectionConfig, episode: int) -> bool:
    """Whether the plug is in the socket when this episode begins."""
    return episode // len(config.tasks) % config.seated_every == config.seated_every - 1


def play_episode(
    env: InsertionEnv, config: JobScriptConfig, *, session: str, episode: int, seed: int, seated: bool = False
) -> ScriptedEpisode:
    """One episode of the script. seated: it starts with the plug in the socket."""
    script: JobScript | None = None

    def act(observation: Observation) -> FloatArray:
        nonlocal script
        # Not before the first step: the script looks at what the reset has drawn.
        script = script or JobScript(env, config, np.random.default_rng((seed, 1)))
        return script.act(observation)

    return run_script(env, act, session=session, episode=episode, seed=seed, options={"seated": seated})


class _Recording:
    """The folder of one connector: which episodes it has, and how one gets in."""

    def __init__(self, folder: Path, plan: DomainPlan, setup: CollectionSetup) -> None:
        self.folder, self.plan, self.setup = folder, plan, setup
        by_name = {topic.name: topic for topic in setup.topics}
        self._transition = MessageEncoder(by_name[TRANSITION_TOPIC])
        self._summary = MessageEncoder(by_name[SUMMARY_TOPIC])
        self._hash = _configuration_hash(plan, setup)

    def has(self, episode: int) -> bool:
        """Whether it is finished. Raises StorageError where it was collected otherwise."""
        layout = layout_of(self.folder, episode)
        if not layout.finished.is_dir():
            return False
        found = read_episode(layout.finished).contract.configuration_hash
        if found != self._hash:
            raise StorageError(
                f"{layout.finished}: was collected with configuration {found}, this one is {self._hash} (connector, "
                f"tasks, robot, script and seed count): collect into a new folder, or move this one away"
            )
        return True

    def record(self, env: InsertionEnv, task: str, episode: int) -> None:
        """Plays and records one episode."""
        config = self.setup.config
        seed = episode_seed(config, self.plan.name, episode)
        played = play_episode(
            env,
            config.script,
            session=self.plan.name,
            episode=episode,
            seed=seed,
            seated=starts_seated(config, episode),
        )
        shutil.rmtree(layout_of(self.folder, episode).part, ignore_errors=True)
        contract = EpisodeContract(
            number=episode,
            robot=config.robot,
            task=task,
            session=self.plan.name,
            session_episode=episode,
            controller=CONTROLLER,
            train=True,
            seed=seed,
            configuration_hash=self._hash,
            calibration={"residual_controller": env.task.residual.version},
            versions={"tenon": metadata.version("tenon"), "mujoco": metadata.version("mujoco")},
        )
        writer = EpisodeWriter(self.folder, contract, self.setup.topics)
        period_ns = round(env.task.control_period_s * _NS_PER_S)
        # Time runs on over the episodes, though each may be recorded on its own.
        start_ns = episode * (env.task.horizon_steps + 1) * period_ns
        stamp_ns = start_ns
        for transition in played.transitions:
            stamp_ns = start_ns + (transition.step + 1) * period_ns
            data = self._transition(transition_fields(replace(transition, stamp_ns=stamp_ns), train=True))
            writer.write(TRANSITION_TOPIC, data, log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
        summary = self._summary(_summary_fields(env, played, contract, stamp_ns))
        writer.write(SUMMARY_TOPIC, summary, log_time_ns=stamp_ns, publish_time_ns=stamp_ns)
        writer.finish(EpisodeOutcome(result=_result(played)))


def _result(played: ScriptedEpisode) -> Literal["success", "timeout"]:
    return "success" if any(transition.success for transition in played.transitions) else "timeout"


def _summary_fields(
    env: InsertionEnv, played: ScriptedEpisode, contract: EpisodeContract, stamp_ns: int
) -> dict[str, object]:
    """Of ``tenon_msgs/msg/EpisodeSummary``."""
    solved = [transition.step + 1 for transition in played.transitions if transition.success]
    return {
        "header": header_fields(stamp_ns),
        "session": contract.session,
        "episode": contract.session_episode,
        "controller": contract.controller,
        "outcome": _result(played),
        "success": bool(solved),
        "steps": len(played.transitions),
        "steps_to_success": solved[0] if solved else 0,
        "total_reward": sum(transition.reward for transition in played.transitions),
        "peak_force_n": env.simulation.peak_force_n,
        "goal_error_m": env.simulation.draw.goal_error_m.tolist(),
        "seed": contract.seed,
    }


def _configuration_hash(plan: DomainPlan, setup: CollectionSetup) -> str:
    """16 hex digits that change with whatever the content of an episode depends on."""
    # More episodes of the same connector are more of the same.
    config = setup.config.model_copy(update={"episodes": 1})
    parts: list[Config] = [config, setup.arm, plan.connector, *setup.tasks]
    text = json.dumps([plan.name, *(part.model_dump(mode="json") for part in parts)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
