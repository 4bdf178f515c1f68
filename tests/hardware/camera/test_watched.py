"""Faults of a camera: each has a name, none is papered over with an old picture, and a camera that is back delivers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tenon.configuration.camera import CameraConfig
from tenon_camera.driver import CameraDriver
from tenon_camera.frame import CameraError, CameraFault
from tenon_camera.watched import IDENTICAL_FRAMES, WatchedCamera

WIDTH, HEIGHT, RATE_HZ = 16, 12, 20.0
PERIOD_NS = 50_000_000
RECONNECT_S = 0.5


class Capture:
    """The part of cv2.VideoCapture that the driver uses, over a camera whose cable a test can pull."""

    def __init__(self, device: Device) -> None:
        self._device, self._generation = device, device.generation
        device.opened += 1

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._device.plugged_in

    def set(self, key: int, value: float) -> bool:
        if key in self._device.lacks:
            return False
        low, high = self._device.ranges.get(key, (value, value))
        self._device.settings[key] = min(max(value, low), high)
        return True

    def get(self, key: int) -> float:
        if key in self._device.lacks:
            return self._device.reads
        return self._device.settings.get(key, 0.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        device = self._device
        if not device.plugged_in or self._generation != device.generation:
            return False, None
        return True, device.picture()

    def release(self) -> None:
        self._generation = -1
        self._device.released += 1


class Device:
    def __init__(self) -> None:
        self.plugged_in, self.hangs = True, False
        self.size = (WIDTH, HEIGHT)
        self.generation = self.opened = self.released = self.count = 0
        self.settings: dict[int, float] = {}
        self.ranges: dict[int, tuple[float, float]] = {}
        self.lacks: set[int] = set()
        self.reads = -1.0

    def unplug(self) -> None:
        """What was opened before stays dead after the plug is back."""
        self.plugged_in = False
        self.generation += 1

    def picture(self) -> np.ndarray:
        self.count += not self.hangs
        return np.full((self.size[1], self.size[0], 3), self.count % 250, np.uint8)


class Bench:
    """A watched camera in a time of its own."""

    def __init__(self, path: Path, device: Device) -> None:
        config = CameraConfig(
            name="wrist",
            source="device",
            device=str(path),
            width=WIDTH,
            height=HEIGHT,
            rate_hz=RATE_HZ,
            exposure_us=5000,
            white_balance_k=4000,
            reconnect_s=RECONNECT_S,
        )
        self.camera = WatchedCamera(CameraDriver(config, lambda _path: Capture(device)), config)
        self.time_ns = 0

    def poll(self, times: int = 1, period_ns: int = PERIOD_NS) -> int:
        """How many frames came."""
        frames = 0
        for _ in range(times):
            self.time_ns += period_ns
            frames += self.camera.poll(lambda: self.time_ns, self.time_ns) is not None
        return frames

    @property
    def fault(self) -> CameraFault | None:
        return self.camera.health.fault


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def bench(tmp_path: Path, device: Device) -> Bench:
    path = tmp_path / "video0"
    path.touch()
    bench = Bench(path, device)
    bench.camera.open()
    return bench


def test_exposure_and_white_balance_are_fixed(bench: Bench, device: Device) -> None:
    assert device.settings[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert device.settings[cv2.CAP_PROP_EXPOSURE] == 50.0
    assert device.settings[cv2.CAP_PROP_AUTO_WB] == 0.0
    assert device.settings[cv2.CAP_PROP_WB_TEMPERATURE] == 4000.0


@pytest.mark.parametrize(
    ("key", "able", "seen"),
    [
        (cv2.CAP_PROP_AUTO_EXPOSURE, (3.0, 3.0), "manual exposure: 1, and took 3"),
        (cv2.CAP_PROP_EXPOSURE, (3.0, 40.0), "exposure in units of 100 us: 50, and took 40"),
        (cv2.CAP_PROP_AUTO_WB, (1.0, 1.0), "automatic white balance: 0, and took 1"),
        (cv2.CAP_PROP_WB_TEMPERATURE, (2000.0, 3900.0), "white_balance_k: 4000, and took 3900"),
    ],
)
def test_a_camera_that_does_not_take_what_is_to_be_fixed_is_refused(
    tmp_path: Path, device: Device, key: int, able: tuple[float, float], seen: str
) -> None:
    device.ranges[key] = able
    path = tmp_path / "video0"
    path.touch()
    with pytest.raises(CameraError, match=seen) as raised:
        Bench(path, device).camera.open()
    assert raised.value.fault is CameraFault.REFUSED
    assert device.opened == device.released, "another program may have it"


@pytest.mark.parametrize("automatic", [0.0, 3.0])
def test_a_camera_that_goes_on_adapting_is_refused(tmp_path: Path, device: Device, automatic: float) -> None:
    device.lacks.add(cv2.CAP_PROP_AUTO_EXPOSURE)
    device.reads = automatic
    path = tmp_path / "video0"
    path.touch()
    with pytest.raises(CameraError, match=f"manual exposure: 1, and took {automatic:g}"):
        Bench(path, device).camera.open()


def test_a_camera_without_colours_needs_no_white_balance(tmp_path: Path, device: Device) -> None:
    device.lacks |= {cv2.CAP_PROP_AUTO_WB, cv2.CAP_PROP_WB_TEMPERATURE}
    path = tmp_path / "video0"
    path.touch()
    bench = Bench(path, device)
    bench.camera.open()
    assert bench.poll(3) == 3


def test_a_healthy_camera_has_no_fault(bench: Bench) -> None:
    assert bench.poll(60) == 60
    assert bench.fault is None


def test_an_unplugged_camera_is_named_and_comes_back_with_its_plug(bench: Bench, device: Device) -> None:
    bench.poll(5)
    device.unplug()
    assert bench.poll(5) == 0
    assert bench.fault is CameraFault.UNPLUGGED
    assert "check its cable" in bench.camera.health.detail
    device.plugged_in = True
    assert bench.poll(round(RECONNECT_S * RATE_HZ) + 1) > 0, "it is opened anew without being asked"
    assert bench.fault is None
    assert bench.camera.health.losses == 1
    assert device.settings[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0


def test_a_camera_that_stays_away_is_tried_no_more_often_than_stated(bench: Bench, device: Device) -> None:
    device.unplug()
    bench.poll(101)
    assert 5 <= device.opened - 1 <= 10, "5 s at one try every 0.5 s"
    assert bench.fault is CameraFault.MISSING


def test_a_camera_that_hangs_is_not_taken_for_one_that_sees(bench: Bench, device: Device) -> None:
    bench.poll(5)
    device.hangs = True
    assert bench.poll(IDENTICAL_FRAMES + 5) == IDENTICAL_FRAMES - 1
    assert bench.fault is CameraFault.FROZEN
    device.hangs = False
    assert bench.poll(round(RECONNECT_S * RATE_HZ) + 1) > 0
    assert bench.fault is None


def test_a_picture_of_another_size_is_not_delivered(bench: Bench, device: Device) -> None:
    device.size = (WIDTH // 2, HEIGHT)
    assert bench.poll(3) == 0
    assert bench.fault is CameraFault.WRONG_PICTURE


def test_a_slow_camera_delivers_and_says_so_until_it_keeps_up(bench: Bench) -> None:
    assert bench.poll(30, period_ns=2 * PERIOD_NS) == 30
    assert bench.fault is CameraFault.SLOW
    assert "delivers 10.0 Hz, its configuration says 20 Hz" in bench.camera.health.detail
    bench.poll(50)
    assert bench.fault is None


def test_at_the_start_a_camera_that_is_not_there_is_an_error(tmp_path: Path, device: Device) -> None:
    with pytest.raises(CameraError, match=r"cannot be opened\. Video devices here") as raised:
        Bench(tmp_path / "video1", device).camera.open()
    assert raised.value.fault is CameraFault.MISSING
