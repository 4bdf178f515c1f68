"""A camera that is missing, broken or of the wrong size must be named at the start, not found out in mid-session."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tenon.configuration.camera import CameraConfig
from tenon_camera.driver import CameraDriver
from tenon_camera.frame import CameraError

FRAMES, WIDTH, HEIGHT = 5, 64, 48


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (WIDTH, HEIGHT))
    for index in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), (200, 40 * index, 10), np.uint8))
    writer.release()
    return path


def camera(file: Path, width: int = WIDTH) -> CameraDriver:
    return CameraDriver(CameraConfig(name="wrist", source="file", file=file, width=width, height=HEIGHT, rate_hz=10.0))


def test_a_video_plays_in_a_loop_in_rgb_order(video: Path) -> None:
    driver = camera(video)
    driver.configure()
    greens = []
    for stamp_ns in range(2 * FRAMES):
        frame = driver.read(lambda stamp_ns=stamp_ns: stamp_ns)
        assert frame.stamp_ns == stamp_ns
        assert frame.rgb[0, 0, 0] < 60 < 150 < frame.rgb[0, 0, 2], "blue was written, so the last channel is bright"
        greens.append(round(int(frame.rgb[0, 0, 1]) / 40))
    assert greens == [0, 1, 2, 3, 4] * 2


def test_a_missing_device_is_named_with_what_is_there() -> None:
    config = CameraConfig(
        name="wrist",
        source="device",
        device="/dev/video97",
        width=WIDTH,
        height=HEIGHT,
        rate_hz=30.0,
        exposure_us=5000,
        white_balance_k=4000,
    )
    with pytest.raises(CameraError, match=r"/dev/video97 cannot be opened. Video devices here"):
        CameraDriver(config).configure()


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "not.avi"
    file.write_bytes(b"no video")
    with pytest.raises(CameraError, match="no video that can be read"):
        camera(file).configure()


def test_a_wrong_size_is_found_at_activation(video: Path) -> None:
    driver = camera(video, width=640)
    driver.configure()
    with pytest.raises(CameraError, match="delivers 64 x 48 pixels, its configuration says 640 x 48"):
        driver.activate()
