"""Turns a dataset of another format into prior data: a sealed replay that ``tenon train --data`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from tenon.configuration.base import Config
from tenon.data.edit.output import DatasetError, new_folder
from tenon.data.edit.provenance import tool_version
from tenon.data.exchange.foreign import BoolArray, ForeignDataset, ForeignEpisode, Layout, ObservationChoice
from tenon.data.images import resize
from tenon.data.mapped_array import StorageError
from tenon.data.prior import write_prior
from tenon.data.transitions import (
    EnvironmentSpec,
    FloatArray,
    ImageArray,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
)

MANIFEST, REPLAY = "import.json", "replay"
NO_IMAGE = "none"
_CHANNELS = 3
_ACTION_TOLERANCE = 1e-5
"""A float32 that was clipped to [-1, 1] may stand one rounding outside."""


class ImageSize(Config):
    """Pixels that images are brought to."""

    height: PositiveInt
    width: PositiveInt


class ImportConfig(Config):
    """What of the foreign dataset becomes observations and actions."""

    state_keys: tuple[str, ...] = Field(default=(), description="vectors that make up the state; empty: its convention")
    image_key: str | None = Field(default=None, description="the camera; None: the only one there is; 'none': no image")
    image_size: ImageSize | None = Field(default=None, description="None: as they are")
    rescale_actions: bool = Field(
        default=False, description="map each entry's range in the dataset to [-1, 1]; needed where it is larger"
    )


class Manifest(Config):
    """How an import was made; beside its replay. action_low, action_high: what -1 and 1 stand for, None: themselves."""

    source: str
    tool: str
    session: str
    state_keys: tuple[str, ...]
    image_key: str | None
    action_low: tuple[float, ...] | None
    action_high: tuple[float, ...] | None
    episodes: int
    transitions: int


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def apply(self, action: FloatArray) -> FloatArray:
        """(T, A) in the dataset's unit -> [-1, 1]; an entry that never changes becomes 0."""
        span = np.where(self.high > self.low, self.high - self.low, np.inf)
        scaled = 2.0 * (action.astype(np.float64) - self.low) / span - 1.0
        return np.clip(np.where(np.isinf(span), 0.0, scaled), -1.0, 1.0).astype(np.float32)


def import_dataset(
    dataset: ForeignDataset, source: Path, out: Path, config: ImportConfig, spec: EnvironmentSpec | None = None
) -> Manifest:
    """Writes the new folder ``out`` with the replay and its manifest, whole or not at all.

    spec: what the data must be of; None: what the dataset's own sizes say. Raises DatasetError, with nothing changed.
    """
    layout = dataset.layout()
    choice = _choose(dataset.name, layout, config)
    scale = _scale(layout, config)
    image = _image_spec(layout, choice, config)
    state_size = sum(layout.vectors[key] for key in choice.state_keys)
    own = EnvironmentSpec(
        observation=ObservationSpec(state_size=state_size, image=image), action_size=len(layout.action_low)
    )
    _check_spec(own, spec)
    has_goals = spec is not None and spec.observation.goal is not None
    transitions = _transitions(dataset, choice, scale, image, has_goals=has_goals)
    with new_folder(out) as part:
        try:
            count = write_prior(part / REPLAY, spec or own, transitions)
        except (TransitionError, StorageError, ValueError) as error:
            raise DatasetError(f"{source}: cannot be imported: {error}") from error
        manifest = Manifest(
            source=str(source.absolute()),
            tool=tool_version(),
            session=dataset.name,
            state_keys=choice.state_keys,
            image_key=choice.image_key,
            action_low=None if scale is None else tuple(scale.low.tolist()),
            action_high=None if scale is None else tuple(scale.high.tolist()),
            episodes=layout.episodes,
            transitions=count,
        )
        (part / MANIFEST).write_text(json.dumps(manifest.model_dump(), indent=2) + "\n", encoding="utf-8")
    return manifest


def ends(episode: ForeignEpisode) -> tuple[BoolArray, BoolArray, BoolArray]:
    """(terminated, truncated, success), each (T,).

    Where the format tells them, as it tells them. Else: a done step that pays is a success; the last step is terminated
    if it is one, and truncated if not. Done marks before the last step end nothing, since the episode goes on.
    """
    paid = episode.done & (episode.reward > 0.0)
    success = paid if episode.success is None else episode.success
    if episode.terminated is not None and episode.truncated is not None:
        return episode.terminated, episode.truncated, success
    last = np.zeros(len(episode.done), np.bool_)
    last[-1] = True
    return last & paid, last & ~paid, success


def _choose(name: str, layout: Layout, config: ImportConfig) -> ObservationChoice:
    state_keys = config.state_keys or layout.default_state or tuple(sorted(layout.vectors))
    _refuse_unknown(name, state_keys, tuple(layout.vectors), "vectors", "--state-keys")
    if not state_keys:
        raise DatasetError(f"{name}: has no vector that could be the state")
    image_key = config.image_key
    if image_key is None and len(layout.images) > 1:
        raise DatasetError(
            f"{name}: has several cameras, one is read: --image-key {'|'.join(sorted(layout.images))}|{NO_IMAGE}"
        )
    if image_key is None:
        image_key = next(iter(layout.images), NO_IMAGE)
    if image_key != NO_IMAGE:
        _refuse_unknown(name, (image_key,), tuple(layout.images), "images", "--image-key")
    return ObservationChoice(state_keys, None if image_key == NO_IMAGE else image_key)


def _refuse_unknown(name: str, keys: tuple[str, ...], known: tuple[str, ...], what: str, flag: str) -> None:
    if unknown := [key for key in keys if key not in known]:
        raise DatasetError(
            f"{name}: has no {', '.join(unknown)}. Its {what} are: {', '.join(sorted(known)) or 'none'}: use {flag}"
        )


def _scale(layout: Layout, config: ImportConfig) -> _Scale | None:
    low, high = layout.action_low.astype(np.float64), layout.action_high.astype(np.float64)
    if config.rescale_actions:
        return _Scale(low, high)
    if low.min() < -1.0 - _ACTION_TOLERANCE or high.max() > 1.0 + _ACTION_TOLERANCE:
        raise DatasetError(
            f"actions reach from {low.min():g} to {high.max():g}, a learner's are in [-1, 1]: --rescale-actions maps "
            f"each entry's range to that and notes it in {MANIFEST}"
        )
    return None


def _image_spec(layout: Layout, choice: ObservationChoice, config: ImportConfig) -> ImageSpec | None:
    if choice.image_key is None:
        return None
    height, width, channels = layout.images[choice.image_key]
    if channels != _CHANNELS:
        raise DatasetError(
            f"{choice.image_key} is {(height, width, channels)}, (height, width, 3) is needed: leave it out, "
            f"--image-key {NO_IMAGE}"
        )
    size = config.image_size or ImageSize(height=height, width=width)
    return ImageSpec(height=size.height, width=size.width, channels=_CHANNELS)


def _check_spec(own: EnvironmentSpec, wanted: EnvironmentSpec | None) -> None:
    if wanted is None:
        return
    one, two = own.observation, wanted.observation
    if (one.state_size, one.image, own.action_size) != (two.state_size, two.image, wanted.action_size):
        raise DatasetError(
            f"the data have a state of {one.state_size}, image {one.image} and an action of {own.action_size}; the "
            f"environment asks for {two.state_size}, {two.image} and {wanted.action_size}: choose other keys or sizes"
        )


def _transitions(
    dataset: ForeignDataset,
    choice: ObservationChoice,
    scale: _Scale | None,
    image: ImageSpec | None,
    *,
    has_goals: bool,
) -> Iterator[Transition]:
    def fit(frame: ImageArray) -> ImageArray:
        return frame if image is None else resize(frame, image.height, image.width)

    for number, episode in enumerate(dataset.episodes(choice)):
        action = episode.action if scale is None else scale.apply(episode.action)
        terminated, truncated, success = ends(episode)
        goals = episode.next_achieved_goal if has_goals else None
        for i in range(len(action)):
            yield Transition(
                session=dataset.name,
                episode=number,
                step=i,
                observation=Observation(episode.state[i], None if episode.image is None else fit(episode.image[i])),
                action=action[i],
                reward=float(episode.reward[i]),
                next_observation=Observation(
                    episode.next_state[i],
                    None if episode.next_image is None else fit(episode.next_image[i]),
                    None if goals is None else goals[i],
                ),
                terminated=bool(terminated[i]),
                truncated=bool(truncated[i]),
                success=bool(success[i]),
                human=episode.human is not None and bool(episode.human[i]),
                stamp_ns=0 if episode.stamp_ns is None else int(episode.stamp_ns[i]),
            )
