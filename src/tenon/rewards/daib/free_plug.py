"""How a plug looks while it is free, learnt from a few pictures, and what of it a picture shows to be hidden.

The camera moves with the gripper, so a free plug is the same in every picture, while all behind it moves. What stays
the same in the first pictures of a few episodes is therefore gripper and plug; and what of that looks different later
is hidden by something: a socket. No label is needed for it, and neither colours nor tables matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages

Rows = NDArray[np.int64]
Pictures = NDArray[np.uint8]

FREE_STEPS = 3
"""An episode begins above the socket: its plug is free in so many pictures at least."""
EPISODES = 4
"""So many episodes are enough to tell the plug from what is behind it."""
_FREE_ABOVE_M = 0.012
_SAME, _DIFFERENT = 4.0, 24.0
_WHITE = 255.0


@dataclass(frozen=True, slots=True, eq=False)
class FreePlug:
    """picture: (height, width, C) of uint8. still: (height, width) of uint8, 255 where it never changed."""

    picture: Pictures
    still: Pictures

    def maps(self, images: Pictures) -> Pictures:
        """(N, height, width, 2) of uint8 for pictures (N, height, width, C): still, and what of it is different now."""
        return plug_maps(images, self.picture[None], self.still[None])


def learn_free_plug(pictures: Pictures) -> FreePlug:
    """From pictures (N, height, width, C) that all show the plug free, from different places."""
    change = _change(pictures, pictures[:1]).max(axis=0)
    return FreePlug(pictures[0], (_WHITE * (1.0 - change)).astype(np.uint8))


def plug_maps(images: Pictures, free: Pictures, still: Pictures) -> Pictures:
    """As ``FreePlug.maps``, each picture with a free plug of its own: (N, height, width, C) and (N, height, width)."""
    hidden = _change(images, free) * still
    return np.stack(np.broadcast_arrays(still, hidden.astype(np.uint8)), axis=-1)


def free_rows(data: LabelledImages, name: str) -> list[Rows]:
    """The pictures of each episode of a domain that began with the plug free, as long as it surely was.

    Raises ConfigurationError where there is none.
    """
    rows = data.rows([name])
    free = (data.step[rows] < FREE_STEPS) & ~data.label[rows] & ~(data.offset_m[rows, 2] < _FREE_ABOVE_M)
    episodes = [rows[free & (data.episode[rows] == episode)] for episode in np.unique(data.episode[rows])]
    found = [own for own in episodes if len(own) and data.step[own[0]] == 0]
    if not found:
        raise ConfigurationError(
            f"{name}: none of its episodes begins with the plug free, {_FREE_ABOVE_M * 1e3:g} mm above its seat: "
            f"collect more of it, or set sees: picture"
        )
    return found


def free_plug_of(data: LabelledImages, name: str) -> FreePlug:
    """What a session would have learnt of this domain after a few episodes."""
    return learn_free_plug(data.image[np.sort(np.concatenate(free_rows(data, name)[:EPISODES]))])


def knows_plug(data: LabelledImages, name: str) -> bool:
    """Whether this domain shows its free plug in as many episodes as a session learns it from."""
    return len(free_rows(data, name)) >= EPISODES


class FreePlugs:
    """Several free plugs of each domain, each learnt from a few episodes: for training, which shall not trust one."""

    def __init__(self, data: LabelledImages, names: Sequence[str], rng: np.random.Generator, *, each: int = 6):
        self._each, self._rng = each, rng
        self._first = np.full(len(data.names), -1)
        learnt = []
        for number, name in enumerate(names):
            self._first[data.names.index(name)] = number * each
            episodes = free_rows(data, name)
            for _ in range(each):
                count = int(rng.integers(1, min(EPISODES, len(episodes)) + 1))
                chosen = rng.choice(len(episodes), count, replace=False)
                learnt.append(learn_free_plug(data.image[np.sort(np.concatenate([episodes[e] for e in chosen]))]))
        self._pictures = np.stack([plug.picture for plug in learnt])
        self._still = np.stack([plug.still for plug in learnt])

    def maps(self, images: Pictures, domain: Rows) -> Pictures:
        """As ``FreePlug.maps``, by one of the plugs of each picture's domain, drawn."""
        chosen = self._first[domain] + self._rng.integers(0, self._each, len(domain))
        return plug_maps(images, self._pictures[chosen], self._still[chosen])


def _change(a: Pictures, b: Pictures) -> NDArray[np.float32]:
    """Of each pixel, from 0 (the same but for noise) to 1: by the channel that differs most."""
    largest = np.maximum(a, b) - np.minimum(a, b)
    change: NDArray[np.float32] = (largest.max(axis=-1).astype(np.float32) - _SAME) / (_DIFFERENT - _SAME)
    return change.clip(0.0, 1.0)
