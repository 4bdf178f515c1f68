"""`tenon dataset render`: a recorded episode as a video, at its own speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import write_line
from tenon.cli.contact_sheet import episode_frames
from tenon.cli.dataset_folder import explained, one_episode
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.contact_sheet import Frame
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
            frames = episode_frames(EpisodeStore(episode.path.parent), episode, self.topic)
        if not frames:
            raise CommandError(f"{self.episode}: holds no frames")
        try:
            count = write_video(self.out, _at_rate(frames, self.rate_hz), self.rate_hz)
        except (VideoError, OSError) as error:
            raise CommandError(f"{self.out}: {error}") from error
        write_line(f"{self.out}: {count} frames, {count / self.rate_hz:.1f} s")
        return SUCCESS


def _at_rate(frames: Sequence[Frame], rate_hz: float) -> Iterator[Image]:
    """The newest frame of each moment; the last one stays for as long as the frames before it did."""
    import numpy as np

    times_s = np.array([frame.time_s for frame in frames])
    usual_s = float(np.median(np.diff(times_s))) if len(frames) > 1 else 1.0 / rate_hz
    count = max(1, round((times_s[-1] - times_s[0] + usual_s) * rate_hz))
    moments_s = times_s[0] + np.arange(count) / rate_hz
    newest = np.searchsorted(times_s, moments_s, side="right") - 1
    last, picture = -1, np.empty(0, np.uint8)
    for number in newest.tolist():
        if number != last:
            last, picture = number, _with_bar(frames[number].image, frames, number)
        yield picture


def _with_bar(image: Image, frames: Sequence[Frame], number: int) -> Image:
    """The picture, small ones enlarged, over a bar of the whole episode up to this frame."""
    import numpy as np

    scale = max(1, -(-_LEAST_WIDTH_PX // image.shape[1]))
    enlarged = np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)
    width = enlarged.shape[1]
    bar = np.zeros((_STRIP_PX, width, 3), np.uint8)
    edges = np.linspace(0, width, len(frames) + 1).round().astype(int)
    for k in range(number + 1):
        bar[:, edges[k] : edges[k + 1]] = _DONE if frames[k].success else _NOT_DONE
    return np.concatenate((enlarged, bar))
