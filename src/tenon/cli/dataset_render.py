"""`tenon dataset render`: a recorded episode as a video, at its own speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import write_line
from tenon.cli.contact_sheet import episode_footage
from tenon.cli.dataset_folder import explained, one_episode
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.contact_sheet import Footage, Moment
    from tenon.data.images import Image

_LEAST_WIDTH_PX, _STRIP_PX = 320, 14
_DONE, _NOT_DONE = (64, 200, 90), (90, 90, 90)


@dataclass(frozen=True)
class Render:
    """Write an MP4 of an episode's frames at its own speed; the bar below is green where the task is done.

    Frames are those of --topic, else the learner's own images, else drawn anew from the joint angles (simulation).
    """

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode (episode_000123)."""
    out: Path
    """The new file, NAME.mp4."""
    topic: str | None = None
    """A recorded topic of images. Default: the images in the transitions."""
    rate_hz: float = 30.0
    """Of the video; frames are repeated or left out, so that time runs as it did."""

    def run(self) -> int:
        from tenon.data.store import EpisodeStore
        from tenon.data.video import VideoError, write_video

        if self.out.suffix != ".mp4":
            raise UsageError(f"--out {self.out}: name a .mp4 file")
        if self.out.exists():
            raise UsageError(f"--out {self.out}: is there already and is never overwritten: name another one")
        if not 0.0 < self.rate_hz <= 240.0:
            raise UsageError(f"--rate-hz {self.rate_hz:g}: above 0 and up to 240 is possible")
        episode = one_episode(self.episode)
        with explained():
            footage = episode_footage(EpisodeStore(episode.path.parent), episode, self.topic)
            if not footage.moments:
                raise CommandError(f"{self.episode}: holds no frames")
            try:
                count = write_video(self.out, _at_rate(footage, self.rate_hz), self.rate_hz)
            except (VideoError, OSError) as error:
                raise CommandError(f"{self.out}: {error}") from error
        write_line(f"{self.out}: {count} frames, {count / self.rate_hz:.1f} s")
        return SUCCESS


def _at_rate(footage: Footage, rate_hz: float) -> Iterator[Image]:
    """The newest frame of each moment; the last one stays for as long as the frames before it did."""
    import numpy as np

    moments = footage.moments
    times_s = np.array([moment.time_s for moment in moments])
    usual_s = float(np.median(np.diff(times_s))) if len(moments) > 1 else 1.0 / rate_hz
    count = max(1, round((times_s[-1] - times_s[0] + usual_s) * rate_hz))
    newest = np.searchsorted(times_s, times_s[0] + np.arange(count) / rate_hz, side="right") - 1
    numbers, repeats = np.unique(newest, return_counts=True)
    bar = np.empty(0, np.uint8)
    shown = footage.images(numbers.tolist())
    for number, times, image in zip(numbers.tolist(), repeats.tolist(), shown, strict=True):
        enlarged = _enlarged(image)
        bar = bar if len(bar) else _bar(moments, enlarged.shape[1])
        picture = np.concatenate((enlarged, _grown(bar, (number + 1) / len(moments))))
        yield from [picture] * times


def _enlarged(image: Image) -> Image:
    """Small ones by a whole factor."""
    import numpy as np

    scale = max(1, -(-_LEAST_WIDTH_PX // image.shape[1]))
    return np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)


def _bar(moments: Sequence[Moment], width: int) -> Image:
    """(_STRIP_PX, width, 3): the whole episode."""
    import numpy as np

    bar = np.zeros((_STRIP_PX, width, 3), np.uint8)
    edges = np.linspace(0, width, len(moments) + 1).round().astype(int)
    for moment, left, right in zip(moments, edges[:-1], edges[1:], strict=True):
        bar[:, left:right] = _DONE if moment.success else _NOT_DONE
    return bar


def _grown(bar: Image, share: float) -> Image:
    """The bar up to a share of the episode."""
    grown = bar.copy()
    grown[:, round(share * bar.shape[1]) :] = 0
    return grown
