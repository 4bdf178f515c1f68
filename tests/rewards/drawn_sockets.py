"""Side views of plugs over sockets, drawn in NumPy: the small classifier task of daib.md 8.1.

What "inserted" looks like depends on the family, which a bar on the socket shows: the plug stops 0, 3 or 6 pixels
short. So a classifier must read the bar, and must not care for colours, widths and places, which are those of a domain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenon.data.domains import LabelledImages, Split

SIZE_PX = 32
GAPS_PX = (0, 3, 6)
STEPS = 10
_MOUTH_ROW = 18
_FAR_PX = 12


@dataclass(frozen=True, slots=True)
class _Look:
    background: np.ndarray
    socket: np.ndarray
    plug: np.ndarray
    flange: np.ndarray
    texture: np.ndarray
    width_px: int
    length_px: int
    centre_px: int
    family: int


def draw_domains(
    count: int, episodes: int, seed: int, *, split: Split = "train", per_series: int = 2
) -> LabelledImages:
    """``count`` domains of ``episodes`` episodes: the plug comes down in half of them, and strays in the others."""
    rng = np.random.default_rng(seed)
    pictures, labels, steps, offsets = [], [], [], []
    for domain in range(count):
        look = _look(rng, domain)
        for episode in range(episodes):
            for step in range(STEPS):
                above_px, aside_px = _place(rng, step, goes_in=episode % 2 == 0)
                pictures.append(_draw(rng, look, above_px, aside_px))
                labels.append(above_px <= 1 and aside_px == 0)
                steps.append(step)
                offsets.append((0.001 * aside_px, 0.0, 0.002 * above_px))
    rows = np.arange(count * episodes * STEPS)
    return LabelledImages(
        image=np.stack(pictures),
        label=np.array(labels),
        domain=rows // (episodes * STEPS),
        episode=rows // STEPS % episodes,
        step=np.array(steps),
        offset_m=np.array(offsets, np.float32),
        names=tuple(f"{split}-{number:02d}" for number in range(count)),
        series=tuple(f"{split}-series-{number // per_series}" for number in range(count)),
        mounts=("front",) * count,
        splits=(split,) * count,
    )


def _look(rng: np.random.Generator, domain: int) -> _Look:
    background, socket, plug, flange = rng.uniform(20, 235, (4, 3))
    return _Look(
        background=background,
        socket=socket,
        plug=plug,
        flange=flange,
        texture=rng.normal(0, 8, (SIZE_PX, SIZE_PX, 1)),
        width_px=int(rng.integers(4, 11)),
        length_px=int(rng.integers(4, 9)),
        centre_px=int(rng.integers(11, 22)),
        family=domain % len(GAPS_PX),
    )


def _place(rng: np.random.Generator, step: int, *, goes_in: bool) -> tuple[int, int]:
    """How far the plug is above its seat, and beside it, in pixels."""
    if step == 0:
        return _FAR_PX, 0
    if goes_in:
        return max(0, _FAR_PX - 3 * step + int(rng.integers(0, 2))), 0
    above_px = int(rng.integers(3, _FAR_PX))
    return above_px, int(rng.integers(-8, 9))


def _draw(rng: np.random.Generator, look: _Look, above_px: int, aside_px: int) -> np.ndarray:
    picture = np.broadcast_to(look.background, (SIZE_PX, SIZE_PX, 3)) + look.texture
    left, right = look.centre_px - look.width_px // 2, look.centre_px - look.width_px // 2 + look.width_px
    picture[_MOUTH_ROW:, :] = look.socket
    picture[_MOUTH_ROW : _MOUTH_ROW + look.length_px, left:right] = 10.0
    if look.family != 1:
        picture[-4:, 4:-4] = 250.0 if look.family == 0 else 5.0
    bottom = _MOUTH_ROW + look.length_px - above_px - GAPS_PX[look.family]
    top = bottom - look.length_px
    a, b = max(left + aside_px, 0), max(right + aside_px, 0)
    picture[max(top, 0) : max(bottom, 0), a:b] = look.plug
    picture[max(top - 5, 0) : max(top, 0), max(a - 3, 0) : b + 3] = look.flange
    lit = picture * rng.uniform(0.9, 1.1) + rng.normal(0, 3, picture.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)
