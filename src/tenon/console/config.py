"""The console's settings: ``config/console.yaml``, and what was typed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration import Config, load_yaml, parse
from tenon.configuration.resolve import config_root

FILE = "console.yaml"


class PictureConfig(Config):
    """rate_hz: at most, per camera and viewer. width_px: wider pictures are made smaller. quality: of JPEG, percent."""

    rate_hz: Annotated[PositiveFloat, Field(le=60.0)] = 15.0
    width_px: Annotated[int, Field(ge=64, le=1920)] = 640
    quality: Annotated[int, Field(ge=10, le=95)] = 80


class DriveConfig(Config):
    """The on-screen control, whose axes and speeds are those of ``config/teleop/console.yaml``.

    rate_hz: of the messages while it is held. unacknowledged: messages under way at most, so that a stalled network
    cannot bring old motion late.
    """

    rate_hz: Annotated[float, Field(ge=20.0, le=100.0)] = 30.0
    unacknowledged: Annotated[PositiveInt, Field(le=10)] = 3


class ConsoleConfig(Config):
    """host, port: where the console listens. runs: the folder whose runs its pages list.

    refresh_s: period with which pages are brought up to date. sample_rate_hz: of wrench and arm in the plots.
    history_s: how far back the plots go. curve_points: of learner curves, which go back to the beginning.
    silent_after_s: a node that should speak and has not for so long is called silent; slow_silent_after_s: one that
    speaks once a second. stop_patience_s: how long the session manager has to answer a stop before the safety
    supervisor is told to hold the arm. service_timeout_s: for all other answers.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    runs: Path = Path("runs")
    refresh_s: Annotated[PositiveFloat, Field(le=5.0)] = 0.5
    sample_rate_hz: Annotated[PositiveFloat, Field(le=50.0)] = 20.0
    history_s: Annotated[PositiveFloat, Field(le=600.0)] = 30.0
    curve_points: Annotated[int, Field(ge=10, le=5000)] = 400
    silent_after_s: PositiveFloat = 2.0
    slow_silent_after_s: PositiveFloat = 4.0
    stop_patience_s: Annotated[PositiveFloat, Field(le=5.0)] = 1.0
    service_timeout_s: PositiveFloat = 5.0
    picture: PictureConfig = PictureConfig()
    drive: DriveConfig = DriveConfig()

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the console: a token is required then."""
        return not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can mean this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_console(changes: Mapping[str, Any]) -> ConsoleConfig:
    """The file's settings with ``changes``. Raises ConfigurationError."""
    path = config_root() / FILE
    stored = load_yaml(path) if path.is_file() else {}
    return parse(ConsoleConfig, {**stored, **changes}, where=str(path))
