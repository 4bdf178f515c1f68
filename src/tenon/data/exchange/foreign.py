"""What an import reads: episodes of another format, before they become transitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from tenon.data.edit.output import DatasetError
from tenon.data.transitions import FloatArray, ImageArray

BoolArray = NDArray[np.bool_]
_IMAGE_DIMENSIONS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a dataset offers.

    vectors: key -> entries. images: key -> (height, width, channels). default_state: keys that make up the state unless
    others are chosen, empty where there is no convention. action_low, action_high: (A,), over the whole dataset.
    """

    vectors: dict[str, int]
    images: dict[str, tuple[int, ...]]
    default_state: tuple[str, ...]
    action_low: NDArray[Any]
    action_high: NDArray[Any]
    episodes: int


def layout_of(shapes: Mapping[str, tuple[int, ...]], actions: Sequence[NDArray[Any]], state_key: str) -> Layout:
    """Of a dataset of arrays under keys. shapes: of one observation of each key. actions: (T, A) of each episode."""
    return Layout(
        vectors={
            key: int(np.prod(shape, dtype=int)) for key, shape in shapes.items() if len(shape) < _IMAGE_DIMENSIONS
        },
        images={key: shape for key, shape in shapes.items() if len(shape) == _IMAGE_DIMENSIONS},
        default_state=(state_key,) if state_key in shapes else (),
        action_low=np.min([values.min(axis=0) for values in actions], axis=0),
        action_high=np.max([values.max(axis=0) for values in actions], axis=0),
        episodes=len(actions),
    )


@dataclass(frozen=True, slots=True)
class ObservationChoice:
    """Which keys are read: the state is the vectors one after the other; image_key None reads no image."""

    state_keys: tuple[str, ...]
    image_key: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ForeignEpisode:
    """T steps. Actions are in the dataset's own unit. What the format does not tell is None.

    done: as the format has it, which is not always an end (robomimic's may mark success, and go on). human: a person
    drove.
    """

    state: FloatArray
    next_state: FloatArray
    image: ImageArray | None
    next_image: ImageArray | None
    action: FloatArray
    reward: NDArray[np.float64]
    done: BoolArray
    terminated: BoolArray | None
    truncated: BoolArray | None
    success: BoolArray | None
    human: BoolArray | None
    stamp_ns: NDArray[np.int64] | None
    next_achieved_goal: FloatArray | None


class ForeignDataset(Protocol):
    """A dataset of another format, opened for reading."""

    @property
    def name(self) -> str:
        """For the session that its episodes become."""
        ...

    def layout(self) -> Layout:
        """What there is to choose from."""
        ...

    def episodes(self, choice: ObservationChoice) -> Iterator[ForeignEpisode]:
        """All episodes in order. Raises DatasetError."""
        ...


def decode_image(data: bytes) -> ImageArray:
    """(height, width, 3) RGB of a PNG or JPEG inside a dataset. Raises DatasetError."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError("an image inside the dataset cannot be decoded: fetch the dataset again")
    return np.ascontiguousarray(image[..., ::-1])
