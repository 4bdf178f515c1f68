from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tenon.data.video import VideoError, write_video


def frames(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """A bright square that moves over a gradient."""
    found = []
    for k in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0] = np.linspace(0, 200, width).astype(np.uint8)
        frame[8:24, 2 * k : 2 * k + 16, 1] = 220
        found.append(frame)
    return found


def read(path: Path) -> tuple[list[NDArray[np.uint8]], float, str]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return pictures, float(stream.average_rate), stream.codec_context.name


@pytest.mark.parametrize("rate_hz", [10.0, 30.0, 12.5])
def test_video_reads_back_with_its_frames_size_and_rate(tmp_path: Path, rate_hz: float) -> None:
    written = frames(12)
    path = tmp_path / "runs" / "after.mp4"
    assert write_video(path, iter(written), rate_hz) == 12
    found, rate, codec = read(path)
    assert codec == "h264" and rate == pytest.approx(rate_hz) and len(found) == 12
    for frame, original in zip(found, written, strict=True):
        assert frame.shape == original.shape
        error = frame.astype(float) - original
        assert np.mean(error**2) < 120.0  # above 27 dB; a frame in the wrong place is far below
    assert [path.name for path in path.parent.iterdir()] == ["after.mp4"]


def test_odd_sizes_are_padded(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames(3, 47, 63), 10.0)
    assert read(tmp_path / "a.mp4")[0][0].shape == (48, 64, 3)


def test_older_video_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, frames(3), 10.0)
    before = path.read_bytes()

    def failing() -> Iterator[NDArray[np.uint8]]:
        yield from frames(5)
        raise RuntimeError("renderer is gone")

    with pytest.raises(RuntimeError, match="renderer is gone"):
        write_video(path, failing(), 10.0)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    write_video(path, frames(8), 10.0)
    assert len(read(path)[0]) == 8


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ([], "there are no frames"),
        ([np.zeros((48, 64), np.uint8)], r"frame 0 is \(48, 64\)"),
        ([np.zeros((48, 64, 3), np.float32)], "of float32"),
        ([*frames(2), np.zeros((48, 66, 3), np.uint8)], r"frame 2 is \(48, 66, 3\), the frames before it"),
    ],
)
def test_wrong_frames_are_refused_and_leave_no_file(
    tmp_path: Path, wrong: list[NDArray[np.uint8]], problem: str
) -> None:
    with pytest.raises(VideoError, match=problem):
        write_video(tmp_path / "a.mp4", wrong, 10.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan")])
def test_rate_must_be_positive(tmp_path: Path, rate_hz: float) -> None:
    with pytest.raises(VideoError, match="a positive one is needed"):
        write_video(tmp_path / "a.mp4", frames(1), rate_hz)


def test_name_must_end_with_mp4(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"must end with \.mp4"):
        write_video(tmp_path / "a.avi", frames(1), 10.0)
