"""Labelling in a terminal: a frame in coloured half-blocks, one key per deed."""

from __future__ import annotations

import enum
import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenon.console.labelling import EpisodeLabelling
    from tenon.data.images import Image

_LEAP = 10
_TEXT_LINES = 7
_LEAST_COLUMNS, _MOST_COLUMNS = 20, 100
_ESCAPE_S = 0.05
"""So soon after an escape character comes the rest of an arrow key."""
_HALF, _RESET, _CLEAR = "\u2580", "\x1b[0m", "\x1b[H\x1b[2J"
_ALTERNATE, _NORMAL = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_ARROWS = {"\x1b[C": "l", "\x1b[D": "h", "\x1b[A": "k", "\x1b[B": "j", "\x1b[H": "g", "\x1b[F": "G"}
HELP = (
    "left/right: frame   up/down: ten frames   g/G: first/last   d: next that differs from the proposal",
    "space: done from here on   t: label changes here   n: never done   a: accept the proposal",
    "enter: keep and go on   x: go on without   b: go back   q: end",
)


class Deed(enum.Enum):
    """What a key asks for beyond the frame that is looked at."""

    NONE = enum.auto()
    KEEP = enum.auto()
    SKIP = enum.auto()
    BACK = enum.auto()
    QUIT = enum.auto()


_DEEDS = {"\r": Deed.KEEP, "\n": Deed.KEEP, "x": Deed.SKIP, "b": Deed.BACK, "q": Deed.QUIT, "\x03": Deed.QUIT}


def press(labelling: EpisodeLabelling, key: str) -> Deed:
    """Does what a key stands for; unknown ones do nothing."""
    here = labelling.frame
    deeds: dict[str, Callable[[], None]] = {
        "h": lambda: labelling.go_to(here - 1),
        "l": lambda: labelling.go_to(here + 1),
        "k": lambda: labelling.go_to(here - _LEAP),
        "j": lambda: labelling.go_to(here + _LEAP),
        "g": lambda: labelling.go_to(0),
        "G": lambda: labelling.go_to(len(labelling.frames) - 1),
        "d": lambda: labelling.go_to(next_difference(labelling)),
        " ": labelling.succeeds_here,
        "t": labelling.toggle,
        "n": labelling.never,
        "a": labelling.accept,
    }
    if key in deeds:
        deeds[key]()
    return _DEEDS.get(key, Deed.NONE)


def next_difference(labelling: EpisodeLabelling) -> int:
    """The next frame at which marks and proposal differ, from the first again after the last; here without any."""
    import numpy as np

    differing = np.flatnonzero(labelling.differences())
    if not len(differing):
        return labelling.frame
    later = differing[differing > labelling.frame]
    return int(later[0] if len(later) else differing[0])


def screen(labelling: EpisodeLabelling, title: str, columns: int, lines: int) -> str:
    """What is shown of the frame that is looked at, for a terminal of this size."""
    frames, here = labelling.frames, labelling.frame
    done = labelling.success
    words = [
        title,
        f"frame {here} of 0 to {len(frames) - 1}   {frames.time_s[here]:.2f} s   "
        f"{'DONE' if done[here] else 'not done'}   marks: {', '.join(map(str, sorted(labelling.marks))) or 'none'}",
    ]
    strips = [_strip(done, here, columns, "label")]
    if labelling.proposal is not None:
        words[1] += f"   the classifier: {labelling.proposal.probability[here]:.1%}"
        strips.append(_strip(labelling.proposal.success, here, columns, "proposal"))
    size = max(_LEAST_COLUMNS, min(columns, _MOST_COLUMNS, 2 * (lines - _TEXT_LINES - len(strips))))
    picture = half_blocks(frames.image[here], size)
    return "\r\n".join([*(word[:columns] for word in words), picture, *strips, *(line[:columns] for line in HELP)])


def half_blocks(image: Image, columns: int) -> str:
    """(height, width, 3) RGB as lines of coloured half-blocks, two pixels above one another in each."""
    from tenon.data.images import resize

    rows = max(2, 2 * round(columns * image.shape[0] / image.shape[1] / 2))
    pixels = resize(image, rows, columns)
    lines = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        cells = [
            f"\x1b[38;2;{';'.join(map(str, above))};48;2;{';'.join(map(str, below))}m{_HALF}"
            for above, below in zip(upper.tolist(), lower.tolist(), strict=True)
        ]
        lines.append("".join(cells) + _RESET)
    return "\r\n".join(lines)


def _strip(success: object, here: int, columns: int, name: str) -> str:
    """A character per frame, the one that is looked at in brackets; of long episodes what is around it."""
    import numpy as np

    flags = np.asarray(success)
    room = max(1, columns - len(name) - 4)
    begin = max(0, min(here - room // 2, len(flags) - room))
    cells = ["#" if flag else "." for flag in flags[begin : begin + room]]
    cells[here - begin] = f"[{cells[here - begin]}]"
    return f"{name} {''.join(cells)}"


@contextmanager
def raw_terminal() -> Iterator[Callable[[], str]]:
    """Yields what waits for one key; the terminal is as before afterwards, however it ends."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    sys.stdout.write(_ALTERNATE)
    try:
        yield lambda: read_key(descriptor)
    finally:
        sys.stdout.write(_NORMAL)
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def read_key(descriptor: int) -> str:
    """One key: a character, of an arrow key the letter that does the same; "q" once the terminal has gone."""
    key = os.read(descriptor, 1).decode(errors="replace")
    if not key:
        return "q"
    while key[:1] == "\x1b" and key not in _ARROWS and select.select([descriptor], [], [], _ESCAPE_S)[0]:
        key += os.read(descriptor, 1).decode(errors="replace")
        if len(key) > max(map(len, _ARROWS)):
            return ""
    return _ARROWS.get(key, key)


def show(labelling: EpisodeLabelling, title: str) -> None:
    size = shutil.get_terminal_size()
    sys.stdout.write(_CLEAR + screen(labelling, title, size.columns, size.lines))
    sys.stdout.flush()
