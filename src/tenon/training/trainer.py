"""The trainer: one object that an offline script, a Gymnasium loop and the trainer node drive alike.

Training is a pure function of the prior data and the stream of transitions: update number k draws from the former and
the first n_k of the latter (none while it is offline), with random numbers that depend on the seed and k alone. So a
node that lags behind the robot, or one that is killed and resumed, ends with the weights, bit for bit on a CPU, of a
loop that did each update as soon as it was due.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tenon.algorithms import LearnerState, Metrics, create, method_named
from tenon.algorithms.actor import Actor
from tenon.algorithms.randomness import reseed
from tenon.configuration import Config, ConfigurationError, differences, parse
from tenon.data.checkpoint import Checkpoint, CheckpointFolder, load_checkpoint
from tenon.data.mapped_array import StorageError, sync_folder, write_beside
from tenon.data.prior import write_prior
from tenon.data.replay import Replay
from tenon.data.sampling import Sampler, check_sampling
from tenon.data.transitions import EnvironmentSpec, Transition
from tenon.training.config import TrainerConfig
from tenon.training.memory import keep_freed_memory
from tenon.training.snapshot import PolicySnapshot, take_snapshot

_log = logging.getLogger(__name__)

_FORMAT = 1
_DESCRIPTION = "trainer.json"
_BEGUN = "trainer.json.begun"
_CHECKPOINTS = "checkpoints"
_PRIOR = "prior"
_EXPLORATION = "exploration"


class TrainerError(RuntimeError):
    """A call that does not fit the trainer's state. The message says what to do instead."""


class _Description(Config):
    """What a folder is a training of. prior_transitions: how many prior data it has, 0 where it has none."""

    format: int
    seed: int
    prior_transitions: int = 0
    config: TrainerConfig
    spec: EnvironmentSpec


@dataclass(frozen=True)
class TrainerStatus:
    """Where a training stands. durable_updates: those that the last checkpoint holds."""

    method: str
    transitions: int
    episodes: int
    updates: int
    durable_updates: int


class Trainer:
    """Holds a learner and its replay in ``directory``. Made by ``create``, ``resume`` or ``open``.

    ``add`` and ``update`` may be called from two threads; everything else belongs to the thread that updates.
    """

    def __init__(
        self, config: TrainerConfig, spec: EnvironmentSpec, directory: Path, *, seed: int, prior_transitions: int = 0
    ):
        check_data(config, spec, has_prior=prior_transitions > 0)
        self.config = config
        self.spec = spec
        self.seed = seed
        # More threads than free cores make small networks many times slower, and another number rounds differently.
        torch.set_num_threads(config.threads)
        keep_freed_memory()
        self.learner = create(
            config.method, config.algorithm, spec, seed, device=config.device, compiled=config.compiled
        )
        self.replay = Replay(directory / "replay", spec, config.replay)
        self.prior = _open_prior(directory / _PRIOR, spec, prior_transitions)
        if self.prior is not None:
            self.learner.on_prior(_sessions(self.prior))
        _check_interventions(config, self.learner.config)
        self._sampler = Sampler(self.replay, self.prior, config.sampling, self.learner.config.discount)
        self.updates = 0
        self.durable_updates = 0
        self._checkpoints = CheckpointFolder(directory / _CHECKPOINTS)
        self._generator = torch.Generator()
        self._training = threading.RLock()

    @classmethod
    def create(
        cls,
        config: TrainerConfig,
        spec: EnvironmentSpec,
        directory: Path,
        *,
        seed: int,
        prior: Iterable[Transition] | Path | None = None,
        initial: Path | None = None,
    ) -> Trainer:
        """Starts a training in ``directory``.

        prior: demonstrations or logs, or the folder that ``read_prior`` finds them in; they are copied, for a method
        that imitates without the episodes that broke off half-way. initial: a checkpoint folder whose learner is
        trained further (fine-tuning); its replay is not taken over. Raises StorageError, TransitionError,
        CheckpointError, StateError or ConfigurationError, and ``directory`` can be used once that is mended;
        TrainerError where there is a training already.
        """
        if cls.exists(directory):
            raise TrainerError(f"{directory}: holds a training already: resume it, or choose another folder")
        was_cut_off = (directory / _BEGUN).exists()
        if CheckpointFolder(directory / _CHECKPOINTS).updates() and not was_cut_off:
            raise TrainerError(
                f"{directory}: holds checkpoints, but no {_DESCRIPTION}: restore it, or choose another folder"
            )
        check_data(config, spec, has_prior=prior is not None)
        state = None if initial is None else _initial_state(initial, config, spec, seed)
        count = 0
        if prior is not None:
            directory.mkdir(parents=True, exist_ok=True)
            imitated = method_named(config.method).learner.imitates
            count = write_prior(directory / _PRIOR, spec, prior, imitated=imitated)
        trainer = cls(config, spec, directory, seed=seed, prior_transitions=count)
        if was_cut_off:
            shutil.rmtree(directory / _CHECKPOINTS, ignore_errors=True)
        description = _Description(format=_FORMAT, seed=seed, prior_transitions=count, config=config, spec=spec)
        write_beside(directory / _BEGUN, description.model_dump_json(indent=2).encode())
        if state is not None:
            trainer.learner.load_state(state)
            trainer.learner.seed = seed  # else trainings of several seeds would share the noise of their updates
            trainer.save()
        # The description gets its name last: a folder that has one can be resumed.
        (directory / _BEGUN).rename(directory / _DESCRIPTION)
        sync_folder(directory)
        return trainer

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether ``directory`` holds a training that can be resumed."""
        return (directory / _DESCRIPTION).exists()

    @classmethod
    def resume(cls, directory: Path) -> Trainer:
        """The training in ``directory`` as its last whole checkpoint and its replay left it.

        Updates done after that checkpoint are due again, with the same result. Raises StorageError or CheckpointError;
        ConfigurationError where this machine lacks the device, or the compiler, that it was begun with.
        """
        description = _read_description(directory)
        trainer = cls(
            description.config,
            description.spec,
            directory,
            seed=description.seed,
            prior_transitions=description.prior_transitions,
        )
        trainer._restore()
        return trainer

    @classmethod
    def open(
        cls,
        config: TrainerConfig,
        spec: EnvironmentSpec,
        directory: Path,
        *,
        seed: int,
        prior: Iterable[Transition] | Path | None = None,
        initial: Path | None = None,
    ) -> Trainer:
        """Resumes where there is a training, else starts one as ``create`` does: ``prior`` and ``initial`` matter then.

        Raises TrainerError when the training that is there is another.
        """
        if not cls.exists(directory):
            return cls.create(config, spec, directory, seed=seed, prior=prior, initial=initial)
        seen = _read_description(directory)
        if prior is not None and not seen.prior_transitions:
            raise TrainerError(
                f"{directory}: holds a training without prior data: leave them out, or use another folder"
            )
        own = seen.model_copy(update={"format": _FORMAT, "seed": seed, "config": config, "spec": spec})
        # As JSON has them: the algorithm's keys may hold tuples, which come back from the disk as lists.
        if changed := differences(seen, own):
            raise TrainerError(
                f"{directory}: holds a training with {changed}: use the same configuration and seed, or another folder"
            )
        return cls.resume(directory)

    @property
    def status(self) -> TrainerStatus:
        return TrainerStatus(
            method=self.learner.name,
            transitions=self.replay.transitions,
            episodes=self.replay.complete_episodes,
            updates=self.updates,
            durable_updates=self.durable_updates,
        )

    def add(self, transition: Transition) -> bool:
        """Stores a transition; False if this step is held already. It survives a kill from here on.

        Raises TransitionError or StorageError, with nothing changed. Waits for training where the replay has no room
        to let it lag further, and raises what ``update`` and ``save`` do.
        """
        if self.replay.has_step(transition.session, transition.episode, transition.step):
            return False
        self._make_room()
        self.replay.add(transition)
        return True

    def has_episode(self, session: str, episode: int) -> bool:
        """Whether all steps of an episode are held."""
        return self.replay.has_episode(session, episode)

    def update_due(self) -> bool:
        """Whether enough transitions have come in for the next update."""
        return self.replay.transitions >= self.config.transitions_needed(self.updates + 1)

    def update(self) -> Metrics:
        """The next update. Raises TrainerError when it is not due, DivergenceError with the weights as they were."""
        with self._training:
            number = self.updates + 1
            needed = self.config.transitions_needed(number)
            if self.replay.transitions < needed:
                raise TrainerError(
                    f"update {number} needs {needed} transitions, {self.replay.transitions} are there: ask update_due()"
                )
            reseed(self._generator, self.seed, "sample", number)
            batch = self._sampler.sample(self.config.batch_size, self._generator, until=needed)
            metrics: Metrics = self.learner.update(batch)
            self.updates = number
            return metrics

    def train_offline(self, callback: Callable[[Metrics], None] | None = None) -> None:
        """The rest of the updates on the prior data alone; saves when that is due. callback: after each of them."""
        while self.updates < self.config.offline_updates:
            metrics = self.update()
            if callback is not None:
                callback(metrics)
            if self.save_due():
                self.save()

    def save_due(self) -> bool:
        """Whether ``checkpoint_every_updates`` have passed since the last checkpoint."""
        return self.updates - self.durable_updates >= self.config.checkpoint_every_updates

    def save(self) -> Path:
        """Writes a checkpoint (the one before it stays) and returns its folder. Survives a power cut afterwards.

        Raises CheckpointError, with the earlier ones untouched.
        """
        with self._training:
            # Those that come in meanwhile may be lost to a power cut: the checkpoint must not ask for them.
            transitions = self.replay.flush()
            path = self._checkpoints.save(self.updates, self._checkpoint(transitions))
            self.durable_updates = self.updates
            return path

    def snapshot(self) -> PolicySnapshot:
        """The policy as it is now, for the robot."""
        return take_snapshot(self.learner)

    def actor(self, rng: np.random.Generator) -> Actor:
        """An actor on the live weights, for a loop in this process; explores with ``rng``."""
        return self.learner.actor(rng)

    def close(self) -> None:
        """Saves and lets go of the folder, which it also does where it cannot save: it then raises CheckpointError."""
        try:
            self.save()
        finally:
            self.replay.close()
            if self.prior is not None:
                self.prior.close()

    def _restore(self) -> None:
        checkpoint = self._checkpoints.load_newest(method=self.config.method, spec=self.spec.model_dump(mode="json"))
        if checkpoint is None:
            return
        if checkpoint.counters["transitions"] > self.replay.transitions:
            raise StorageError(
                f"the checkpoint was trained on {checkpoint.counters['transitions']} transitions, the replay holds "
                f"{self.replay.transitions}: restore the replay folder that belongs to it"
            )
        self.learner.load_state(_learner_state(checkpoint))
        self.updates = self.durable_updates = checkpoint.counters["updates"]
        _log.info("resumed at update %d with %d transitions", self.updates, self.replay.transitions)

    def _checkpoint(self, transitions: int) -> Checkpoint:
        state = self.learner.state()
        return Checkpoint(
            method=state.method,
            config=state.config,
            spec=state.spec,
            counters={
                "updates": self.updates,
                "transitions": transitions,
                "learner_updates": state.updates,
                "seed": state.seed,
            },
            values={"optimizer_steps": state.optimizer_steps},
            tensors=state.tensors,
            numpy_generators={_EXPLORATION: state.exploration},
        )

    def _make_room(self) -> None:
        """Keeps what the updates after the last checkpoint draw from, so that resuming from it is always possible."""
        limits = self.config.replay
        ahead = self.replay.transitions + 1 - self.config.transitions_needed(self.durable_updates + 1)
        if not self.replay.overwrites or ahead <= limits.reserve:
            return
        _log.info("training is %d transitions behind its replay: catching up", limits.reserve)
        with self._training:
            while self.update_due():
                self.update()
            self.save()


def _initial_state(path: Path, config: TrainerConfig, spec: EnvironmentSpec, seed: int) -> LearnerState:
    """Of a checkpoint that a training starts from. Refused, where it does not fit, before anything is written."""
    state = _learner_state(load_checkpoint(path, method=config.method, spec=spec.model_dump(mode="json")))
    create(config.method, config.algorithm, spec, seed, device=config.device).load_state(state)
    return state


def _learner_state(checkpoint: Checkpoint) -> LearnerState:
    return LearnerState(
        method=checkpoint.method,
        config=checkpoint.config,
        spec=checkpoint.spec,
        seed=checkpoint.counters["seed"],
        updates=checkpoint.counters["learner_updates"],
        optimizer_steps=checkpoint.values["optimizer_steps"],
        tensors=checkpoint.tensors,
        exploration=checkpoint.numpy_generators[_EXPLORATION],
    )


def _read_description(directory: Path) -> _Description:
    path = directory / _DESCRIPTION
    try:
        return parse(_Description, json.loads(path.read_bytes()), where=str(path))
    except OSError as error:
        raise StorageError(f"{directory}: holds no training: {error}. Start one first") from error
    except (ValueError, ConfigurationError) as error:
        raise StorageError(f"{path}: is damaged: {error}. Restore it from the session's configuration") from error


def check_data(config: TrainerConfig, spec: EnvironmentSpec, *, has_prior: bool) -> None:
    """Raises ConfigurationError for a configuration that wants what is not there."""
    check_sampling(config.sampling, spec, has_prior=has_prior)
    if config.offline_updates and not has_prior:
        raise ConfigurationError(
            f"offline_updates: is {config.offline_updates}, but there are no prior data: hand in demonstrations or "
            f"logs, or set it to 0"
        )


def _check_interventions(config: TrainerConfig, algorithm: Config) -> None:
    """Raises ConfigurationError for a method that tells the domains of its prior data apart: a person's steps in
    practice are of none of them."""
    if config.sampling.interventions == "demonstration" and hasattr(algorithm, "domains"):
        raise ConfigurationError(
            f"sampling.interventions: 'demonstration' counts a person's steps among the prior data, whose domains "
            f"{config.method} tells apart: use 'on_policy' or 'ignore'"
        )


def _open_prior(directory: Path, spec: EnvironmentSpec, transitions: int) -> Replay | None:
    """The prior data, which must be as many as were written. Raises StorageError."""
    if not transitions:
        return None
    prior = Replay.open(directory, spec)
    if prior.transitions != transitions:
        raise StorageError(
            f"{directory}: holds {prior.transitions} transitions, {transitions} were written: restore the folder"
        )
    return prior


def _sessions(prior: Replay) -> int:
    """Of how many sessions the prior data are."""
    return len(np.unique(prior.rows(torch.arange(prior.transitions))["session"]))
