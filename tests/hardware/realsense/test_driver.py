"""The RealSense driver on librealsense itself: its software device, its recordings, its list of what is connected."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.configuration.camera import CameraConfig, DepthConfig
from tenon_camera.frame import CameraError, CameraFault
from tenon_camera.watched import WatchedCamera

try:
    import pyrealsense2
except ImportError as error:
    pytest.skip(f"librealsense cannot be loaded: {error}", allow_module_level=True)

from tenon_realsense.config import RealsenseConfig
from tenon_realsense.driver import RealsenseDriver
from tenon_realsense.sources import PipelineSource

from .software_camera import BOX_MM, FOCAL_COLOUR, HEIGHT, LAG_S, RATE_HZ, WALL_MM, WIDTH, SoftwareCamera

SERIAL = "000000000001"
UNDER_WAY = 12
"""More framesets than librealsense's queues hold."""
RECORDED, LOOPS_MAX = 24, 5
QUICK = RealsenseConfig(first_frame_timeout_s=0.5, frame_timeout_s=0.5)


def configured(**changes: Any) -> CameraConfig:
    keys: dict[str, Any] = {
        "name": "wrist",
        "source": "realsense",
        "serial": SERIAL,
        "width": WIDTH,
        "height": HEIGHT,
        "rate_hz": RATE_HZ,
        "exposure_us": 5000,
        "white_balance_k": 4000,
        "depth": DepthConfig(width=WIDTH, height=HEIGHT),
        "reconnect_s": 0.01,
    }
    return CameraConfig(**{**keys, **changes})


def opened(camera: SoftwareCamera, **changes: Any) -> RealsenseDriver:
    driver = RealsenseDriver(configured(**changes), QUICK, camera)
    driver.configure()
    driver.activate()
    return driver


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .db3 of two dozen framesets, as librealsense's recorder writes it."""
    path = tmp_path_factory.mktemp("recording") / "stand.db3"
    camera = SoftwareCamera(recording=path)
    camera.start()
    for _ in range(RECORDED):
        camera.push()
        time.sleep(1e-3)
    camera.stop()
    camera.close_recording()
    return path


def test_colour_and_depth_come_together_and_the_lens_with_them() -> None:
    driver = opened(SoftwareCamera())
    first, second = driver.read(time.time_ns), driver.read(time.time_ns)
    driver.deactivate()
    assert second.rgb[0, 0, 0] == first.rgb[0, 0, 0] + 1, "red counts the pictures"
    assert second.rgb[HEIGHT // 2, WIDTH // 2].tolist() == [0, 255, 0]
    assert second.depth_mm is not None
    assert second.depth_mm.dtype == np.uint16
    lens = driver.intrinsics
    assert lens is not None
    assert (lens.width, lens.height, lens.fx) == (WIDTH, HEIGHT, FOCAL_COLOUR)
    assert lens.distortion[0] == pytest.approx(0.1)


def test_depth_is_seen_from_the_colour_camera() -> None:
    """The colour lens is longer, so the box fills more of the aligned picture than of the depth camera's own."""
    driver = opened(SoftwareCamera())
    depth = driver.read(time.time_ns).depth_mm
    driver.deactivate()
    assert depth is not None
    assert depth.shape == (HEIGHT, WIDTH)
    assert depth[HEIGHT // 2, WIDTH // 2] == BOX_MM
    box = np.count_nonzero(np.abs(depth[HEIGHT // 2].astype(int) - BOX_MM) < 5)
    assert box > 32, "32 pixels wide in the depth picture"
    assert set(np.unique(depth)) <= {0, BOX_MM, WALL_MM}


def test_a_picture_is_stamped_when_it_was_taken_not_when_it_came() -> None:
    driver = opened(SoftwareCamera())
    stamp_ns = driver.read(time.time_ns).stamp_ns
    driver.deactivate()
    age_s = 1e-9 * (time.time_ns() - stamp_ns)
    assert 0.1 < age_s < LAG_S + 0.5


def test_colour_alone_needs_no_depth() -> None:
    camera = SoftwareCamera()
    camera.depth_flows = False
    driver = opened(camera, depth=None)
    assert driver.read(time.time_ns).depth_mm is None
    driver.deactivate()


def test_an_unplugged_camera_is_named_and_comes_back_with_its_plug() -> None:
    camera = SoftwareCamera()
    watched = WatchedCamera(RealsenseDriver(configured(), QUICK, camera), configured())
    watched.open()
    steady_ns = iter(range(0, 10**12, 10**8))
    assert watched.poll(time.time_ns, next(steady_ns)) is not None
    camera.plugged_in = False
    assert watched.poll(time.time_ns, next(steady_ns)) is None
    assert watched.health.fault is CameraFault.UNPLUGGED
    assert watched.poll(time.time_ns, next(steady_ns)) is None
    assert watched.health.fault is CameraFault.MISSING
    camera.plugged_in = True
    assert watched.poll(time.time_ns, next(steady_ns)) is not None
    assert watched.health.fault is None
    assert camera.starts == 2
    watched.close()


def test_a_stream_that_lost_its_depth_is_a_lost_camera() -> None:
    camera = SoftwareCamera()
    driver = opened(camera)
    camera.depth_flows = False
    with pytest.raises(CameraError, match=r"no whole frame for 0\.5 s") as raised:
        for _ in range(UNDER_WAY):
            driver.read(time.time_ns)
    driver.deactivate()
    assert raised.value.fault is CameraFault.UNPLUGGED


def test_a_picture_of_another_size_is_refused_with_both_sizes() -> None:
    driver = RealsenseDriver(configured(depth=None), QUICK, SoftwareCamera(width=32))
    driver.configure()
    with pytest.raises(CameraError, match=r"32 x 48 pixels of format rgb8.*64 x 48") as raised:
        driver.activate()
    driver.deactivate()
    assert raised.value.fault is CameraFault.WRONG_PICTURE


def test_a_wrong_serial_is_told_apart_from_a_broken_camera() -> None:
    with pytest.raises(CameraError, match=rf"no RealSense with serial {SERIAL} is connected.*correct serial") as raised:
        RealsenseDriver(configured()).configure()
    assert raised.value.fault is CameraFault.MISSING


class GonePipeline:
    """As librealsense's after its cable was pulled: it has tried to start anew by itself, and stands still."""

    def start(self, _config: Any) -> Any:
        return self

    def get_stream(self, _stream: Any) -> Any:
        return self

    def try_wait_for_frames(self, _timeout_ms: int) -> Any:
        raise RuntimeError("Device disconnected. Failed to reconnect: No device connected")

    def stop(self) -> None:
        raise RuntimeError("stop() cannot be called before start()")


def test_a_library_that_loses_its_device_is_a_camera_that_was_unplugged(
    monkeypatch: pytest.MonkeyPatch, recording: Path
) -> None:
    monkeypatch.setattr(pyrealsense2, "pipeline", GonePipeline)
    source = PipelineSource(played(recording))
    source.start()
    with pytest.raises(CameraError, match="went away: Device disconnected") as raised:
        source.wait(0.1)
    assert raised.value.fault is CameraFault.UNPLUGGED
    source.stop()


def test_a_camera_that_the_library_reached_again_by_itself_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch, recording: Path
) -> None:
    class Restarted(GonePipeline):
        def try_wait_for_frames(self, timeout_ms: int) -> Any:
            time.sleep(2e-3 * timeout_ms)
            return True, "pictures with an exposure of the camera's own"

    monkeypatch.setattr(pyrealsense2, "pipeline", Restarted)
    source = PipelineSource(played(recording))
    source.start()
    assert source.wait(0.1) is None


def test_a_device_that_goes_while_it_is_set_up_is_a_camera_that_was_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        def query_devices(self) -> Any:
            raise RuntimeError("hwmon command 0x10 failed: no such device")

    monkeypatch.setattr(pyrealsense2, "context", Context)
    with pytest.raises(CameraError, match="went away: hwmon command") as raised:
        PipelineSource(configured()).start()
    assert raised.value.fault is CameraFault.UNPLUGGED


def test_two_cameras_deliver_side_by_side() -> None:
    drivers = [opened(SoftwareCamera(serial=f"00000000000{index}")) for index in (1, 2)]
    for _ in range(3):
        assert all(driver.read(time.time_ns).rgb.any() for driver in drivers)
    for driver in drivers:
        driver.deactivate()


def played(recording: Path) -> CameraConfig:
    unused = {"serial": None, "exposure_us": None, "white_balance_k": None}
    return configured(source="realsense_recording", file=recording, **unused)


def test_a_recording_plays_in_a_loop_through_the_same_pipeline(recording: Path) -> None:
    patient = RealsenseConfig(first_frame_timeout_s=20.0, frame_timeout_s=20.0)
    driver = RealsenseDriver(played(recording), patient)
    driver.configure()
    driver.activate()
    counts = [int(driver.read(time.time_ns).rgb[0, 0, 0])]
    while len(counts) < LOOPS_MAX * RECORDED and counts[-1] >= max(counts):
        counts.append(int(driver.read(time.time_ns).rgb[0, 0, 0]))
    driver.deactivate()
    assert driver.intrinsics is not None
    assert driver.intrinsics.fx == FOCAL_COLOUR
    assert counts[-1] < max(counts) <= RECORDED, "it begins again"
    assert counts[:-1] == sorted(counts[:-1])


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"none\.db3: no such file"):
        RealsenseDriver(played(tmp_path / "none.db3")).configure()
