"""Stable-Baselines3, SBX and d3rlpy as the learners benchmark drives them. Imported only where they are installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from learners_data import (
    ACTION_SIZE,
    CHANNELS,
    DISCOUNT,
    EMBEDDING_SIZE,
    HIDDEN_SIZES,
    IMAGE_SHAPE,
    LEARNING_RATE,
    STATE_SIZE,
    STRIDES,
    TARGET_RATE,
    Case,
    Data,
    UnsupportedError,
)

KERNEL_PX = 3
# SBX scans over the gradient steps of a call inside one compiled function: with many of them it is fastest.
SBX_UPDATES_PER_CALL = 64


def build(library: str, case: Case, data: Data, scratch: Path, device: str) -> Peer:
    """Raises UnsupportedError, or ImportError where the library is not installed."""
    return {"sb3": _sb3, "sbx": _sbx, "d3rlpy": _d3rlpy}[library](case, data, device)


class Peer:
    """A learner of another library, in two functions."""

    def __init__(
        self,
        packages: tuple[str, ...],
        *,
        update: Callable[[], Any],
        sample: Callable[[], Any],
        replay_bytes: int,
        updates_per_call: int = 1,
    ):
        self.versions: Mapping[str, str] = {name: importlib.metadata.version(name) for name in packages}
        self.update = update
        self.sample = sample
        self.replay_bytes = replay_bytes
        self.updates_per_call = updates_per_call


def _sb3(case: Case, data: Data, device: str) -> Peer:
    import stable_baselines3
    import torch

    torch.set_num_threads(1)
    if case.method not in ("sac", "td3"):
        raise UnsupportedError(f"has no {case.method}")
    learner = {"sac": stable_baselines3.SAC, "td3": stable_baselines3.TD3}[case.method]
    networks: dict[str, Any] = {"net_arch": list(HIDDEN_SIZES)}
    if case.observation == "image":
        networks |= {"features_extractor_class": _convolutions(), "share_features_extractor": True}
    model = learner(
        "CnnPolicy" if case.observation == "image" else "MlpPolicy",
        _spaces(case),
        policy_kwargs=networks,
        device=device,
        **_common(case),
    )
    replay_bytes = _fill(model, case, data)

    def update() -> None:
        model.train(gradient_steps=1, batch_size=case.batch_size)

    return Peer(
        ("stable-baselines3", "torch"),
        update=update,
        sample=lambda: model.replay_buffer.sample(case.batch_size),
        replay_bytes=replay_bytes,
    )


def _sbx(case: Case, data: Data, device: str) -> Peer:
    import jax
    import sbx

    if case.method not in ("sac", "td3"):
        raise UnsupportedError(f"has no {case.method}")
    if case.observation == "image":
        raise UnsupportedError(f"has no image encoder for {case.method}")
    model = {"sac": sbx.SAC, "td3": sbx.TD3}[case.method](
        "MlpPolicy", _spaces(case), policy_kwargs={"net_arch": list(HIDDEN_SIZES)}, **_common(case)
    )
    replay_bytes = _fill(model, case, data)

    def update() -> None:
        model.train(gradient_steps=SBX_UPDATES_PER_CALL, batch_size=case.batch_size)
        jax.block_until_ready(model.policy.qf_state.params)

    return Peer(
        ("sbx-rl", "jax"),
        update=update,
        sample=lambda: model.replay_buffer.sample(case.batch_size),
        replay_bytes=replay_bytes,
        updates_per_call=SBX_UPDATES_PER_CALL,
    )


def _d3rlpy(case: Case, data: Data, device: str) -> Peer:
    import d3rlpy
    import torch
    from d3rlpy.models.encoders import PixelEncoderFactory, VectorEncoderFactory

    torch.set_num_threads(1)
    config = {"sac": d3rlpy.algos.SACConfig, "td3": d3rlpy.algos.TD3Config, "iql": d3rlpy.algos.IQLConfig}[case.method]
    options: dict[str, Any] = {}
    if case.observation == "image":
        filters = [[channels, KERNEL_PX, stride] for channels, stride in zip(CHANNELS, STRIDES, strict=True)]
        encoder: Any = PixelEncoderFactory(filters=filters, feature_size=EMBEDDING_SIZE, last_activation="tanh")
        options["observation_scaler"] = d3rlpy.preprocessing.PixelObservationScaler()
    else:
        encoder = VectorEncoderFactory(hidden_units=list(HIDDEN_SIZES))
    names = ["actor", "critic", "value"] if case.method == "iql" else ["actor", "critic"]
    algorithm = config(
        batch_size=case.batch_size,
        gamma=DISCOUNT,
        tau=TARGET_RATE,
        actor_learning_rate=LEARNING_RATE,
        critic_learning_rate=LEARNING_RATE,
        **{f"{name}_encoder_factory": encoder for name in names},
        **options,
    ).create(device="cuda:0" if device == "cuda" else False)
    before = _resident_bytes()
    dataset = d3rlpy.dataset.MDPDataset(*_flat(case, data))
    replay_bytes = _resident_bytes() - before
    algorithm.build_with_dataset(dataset)
    batch_of = d3rlpy.torch_utility.TorchMiniBatch.from_batch

    def sample() -> None:
        batch = dataset.sample_transition_batch(case.batch_size)
        batch_of(batch=batch, gamma=DISCOUNT, compute_returns_to_go=False, device=device)

    return Peer(
        ("d3rlpy", "torch"),
        update=lambda: algorithm.update(dataset.sample_transition_batch(case.batch_size)),
        sample=sample,
        replay_bytes=replay_bytes,
    )


def _common(case: Case) -> dict[str, Any]:
    return {
        "learning_rate": LEARNING_RATE,
        "buffer_size": case.transitions,
        "batch_size": case.batch_size,
        "gamma": DISCOUNT,
        "tau": TARGET_RATE,
        "seed": 0,
    }


def _spaces(case: Case) -> Any:
    """An environment that has only the spaces: it is never stepped."""
    import gymnasium

    class Spaces(gymnasium.Env[Any, Any]):
        action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
        if case.observation == "image":
            height, width, channels = IMAGE_SHAPE
            observation_space = gymnasium.spaces.Box(0, 255, (channels, height, width), np.uint8)
        else:
            observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)

    return Spaces()


def _fill(model: Any, case: Case, data: Data) -> int:
    """Puts the data into the model's replay, as its training loop would; the bytes that this took."""
    from stable_baselines3.common.logger import configure

    model.set_logger(configure(None, []))
    before = _resident_bytes()
    for episode in range(case.episodes):
        observations = _observations(data, episode)
        for step in range(case.steps):
            done = bool(step == case.steps - 1 and data.terminated[episode])
            model.replay_buffer.add(
                observations[step][None],
                observations[step + 1][None],
                data.action[episode, step][None],
                data.reward[episode, step][None],
                np.array([done]),
                [{}],
            )
    return _resident_bytes() - before


def _flat(case: Case, data: Data) -> tuple[Any, ...]:
    """d3rlpy keeps no observation after the last action: the last one of each episode is left out."""
    observations = np.concatenate([_observations(data, episode)[:-1] for episode in range(case.episodes)])
    ends = np.zeros((case.episodes, case.steps), dtype=np.float32)
    ends[:, -1] = 1.0
    terminals = (ends * data.terminated[:, None]).reshape(-1)
    return (
        observations,
        data.action.reshape(-1, ACTION_SIZE),
        data.reward.reshape(-1),
        terminals,
        ends.reshape(-1) - terminals,
    )


def _observations(data: Data, episode: int) -> Any:
    """States, or frames with the channels first, as these libraries want them."""
    if data.state is not None:
        return data.state[episode]
    assert data.frames is not None
    return np.ascontiguousarray(np.moveaxis(data.frames[episode], -1, 1))


def _convolutions() -> type:
    """The network of ``tenon.networks.encoders.ConvolutionStack`` as an extractor of Stable-Baselines3."""
    import torch
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class Convolutions(BaseFeaturesExtractor):
        def __init__(self, observation_space: Any):
            super().__init__(observation_space, EMBEDDING_SIZE)
            inputs = (observation_space.shape[0], *CHANNELS[:-1])
            layers: list[Any] = []
            for before, after, stride in zip(inputs, CHANNELS, STRIDES, strict=True):
                layers += [torch.nn.Conv2d(before, after, KERNEL_PX, stride=stride), torch.nn.ReLU()]
            trunk = torch.nn.Sequential(*layers, torch.nn.Flatten())
            with torch.no_grad():
                flat = trunk(torch.zeros(1, *observation_space.shape)).shape[1]
            self.network = torch.nn.Sequential(
                trunk, torch.nn.Linear(flat, EMBEDDING_SIZE), torch.nn.LayerNorm(EMBEDDING_SIZE), torch.nn.Tanh()
            )

        def forward(self, observations: Any) -> Any:
            return self.network(observations)

    return Convolutions


def _resident_bytes() -> int:
    resident: int = psutil.Process().memory_info().rss
    return resident
