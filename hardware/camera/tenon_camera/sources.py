"""Which driver a camera's source has."""

from __future__ import annotations

from tenon.configuration.camera import REALSENSE, CameraConfig
from tenon_camera.driver import CameraDriver
from tenon_camera.frame import Camera, CameraError, CameraFault


def create_camera(config: CameraConfig) -> Camera:
    """Raises CameraError where the driver is not installed. Nothing is opened yet."""
    if config.source not in REALSENSE:
        return CameraDriver(config)
    try:
        from tenon_realsense.driver import RealsenseDriver
    except ImportError as error:
        raise CameraError(
            CameraFault.REFUSED,
            f"camera {config.name!r}: librealsense cannot be loaded ({error}): pip install -e '.[realsense]', and on "
            "Debian or Ubuntu sudo apt-get install libusb-1.0-0",
        ) from error
    return RealsenseDriver(config)
