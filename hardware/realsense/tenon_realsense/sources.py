"""Where framesets come from: a camera on this machine, or a recording of one, both through librealsense's pipeline."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

import pyrealsense2 as rs

from tenon.configuration.camera import CameraConfig
from tenon_camera.frame import CameraError, CameraFault

EXPOSURE_UNIT_US = 100.0
"""UVC counts exposure in units of 100 us; the stereo module of the D400 family counts in microseconds."""
STEREO_MODULE = "Stereo Module"


class FrameSource(Protocol):
    """Colour framesets, with depth where the camera's configuration asks for it."""

    def start(self) -> Any:
        """Opens the source and returns the profile of the colour stream. Raises CameraError."""
        ...

    def wait(self, timeout_s: float) -> Any | None:
        """The next frameset; None where none came in time."""
        ...

    def stop(self) -> None:
        """Lets go of the source; ``start`` opens it anew."""
        ...


class PipelineSource:
    """A device by its serial number, or a .db3 recording in a loop."""

    def __init__(self, camera: CameraConfig) -> None:
        self._camera = camera
        self._pipeline: Any = None

    def start(self) -> Any:
        config = rs.config()
        try:
            if self._camera.source == "realsense":
                self._choose_device(config)
            else:
                self._choose_recording(config)
        except CameraError:
            raise
        except RuntimeError as error:
            raise self._gone(error) from error
        self._pipeline = rs.pipeline()
        try:
            profile = self._pipeline.start(config)
        except RuntimeError as error:
            self._pipeline = None
            raise self._refused(str(error)) from error
        return profile.get_stream(rs.stream.color)

    def wait(self, timeout_s: float) -> Any | None:
        begun_s = time.monotonic()
        try:
            arrived, frames = self._pipeline.try_wait_for_frames(round(1e3 * timeout_s))
        except RuntimeError as error:
            raise self._gone(error) from error
        # After the time-out the library tries by itself to reach a camera that has gone. One that it has reached has an
        # exposure of its own again: it must be opened anew.
        in_time = time.monotonic() - begun_s <= timeout_s
        return frames if arrived and in_time else None

    def stop(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            with contextlib.suppress(RuntimeError):  # after such a try it counts as stopped already
                pipeline.stop()

    def _choose_device(self, config: Any) -> None:
        camera, rate_hz = self._camera, round(self._camera.rate_hz)
        device = self._find()
        self._lock_colours(device)
        config.enable_device(camera.serial)
        config.enable_stream(rs.stream.color, camera.width, camera.height, rs.format.rgb8, rate_hz)
        if camera.depth is not None:
            self._set(device.first_depth_sensor(), rs.option.emitter_enabled, float(camera.depth.emitter))
            config.enable_stream(rs.stream.depth, camera.depth.width, camera.depth.height, rs.format.z16, rate_hz)

    def _choose_recording(self, config: Any) -> None:
        file = self._camera.file
        assert file is not None  # the configuration has seen to it
        if not file.is_file():
            raise CameraError(CameraFault.MISSING, f"camera {self._camera.name!r}: {file}: no such file")
        config.enable_device_from_file(str(file), repeat_playback=True)

    def _find(self) -> Any:
        camera = self._camera
        devices = {_info(device, rs.camera_info.serial_number): device for device in rs.context().query_devices()}
        if camera.serial not in devices:
            there = ", ".join(f"{key} ({_info(device, rs.camera_info.name)})" for key, device in devices.items())
            raise CameraError(
                CameraFault.MISSING,
                f"camera {camera.name!r}: no RealSense with serial {camera.serial} is connected. There is: "
                f"{there or 'none'}. Check the cable, or correct serial in config/cameras/{camera.name}.yaml",
            )
        return devices[camera.serial]

    def _lock_colours(self, device: Any) -> None:
        camera = self._camera
        sensor = device.first_color_sensor()
        unit_us = 1.0 if _info(sensor, rs.camera_info.name) == STEREO_MODULE else EXPOSURE_UNIT_US
        assert camera.exposure_us is not None and camera.white_balance_k is not None  # the configuration has seen to it
        for option, value in (
            (rs.option.enable_auto_exposure, 0.0),
            (rs.option.exposure, camera.exposure_us / unit_us),
            (rs.option.enable_auto_white_balance, 0.0),
            (rs.option.white_balance, float(camera.white_balance_k)),
        ):
            self._set(sensor, option, value)

    def _set(self, sensor: Any, option: Any, value: float) -> None:
        if not sensor.supports(option):
            return
        allowed = sensor.get_option_range(option)
        if not allowed.min <= value <= allowed.max:
            raise CameraError(
                CameraFault.REFUSED,
                f"camera {self._camera.name!r} takes {option.name} from {allowed.min:g} to {allowed.max:g}, its "
                f"configuration asks for {value:g}",
            )
        sensor.set_option(option, value)

    def _gone(self, error: RuntimeError) -> CameraError:
        camera = self._camera
        return CameraError(
            CameraFault.UNPLUGGED,
            f"camera {camera.name!r} ({camera.serial or camera.file}) went away: {error}. Check its cable and that it "
            "sits in a USB 3 port",
        )

    def _refused(self, reason: str) -> CameraError:
        camera = self._camera
        return CameraError(
            CameraFault.REFUSED,
            f"camera {camera.name!r} cannot be started with {camera.width} x {camera.height} pixels at "
            f"{camera.rate_hz:g} Hz ({reason}): choose a mode that the camera has (rs-enumerate-devices lists them), "
            "use a USB 3 port, and see that no other program holds the camera",
        )


def _info(thing: Any, key: Any) -> str:
    return str(thing.get_info(key)) if thing.supports(key) else ""
