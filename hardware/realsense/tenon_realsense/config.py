"""What the RealSense driver needs to know beyond the camera's own file."""

from __future__ import annotations

from pydantic import PositiveFloat

from tenon.configuration.base import Config


class RealsenseConfig(Config):
    """first_frame_timeout_s: a camera that was just started takes this long at most to its first pictures.
    frame_timeout_s: a camera that delivers nothing for longer counts as unplugged.
    """

    first_frame_timeout_s: PositiveFloat = 5.0
    frame_timeout_s: PositiveFloat = 1.0
