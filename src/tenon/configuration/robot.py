"""A robot of the lab, one file each in ``config/robots``: which arm it is, whose limits it keeps, what drives it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tenon.configuration.base import Config

Name = Annotated[str, Field(min_length=1)]
PackageName = Annotated[str, Field(pattern=r"^tenon_[a-z0-9_]+$")]


class DeviceConfig(Config):
    """A package below ``hardware/`` and what it is told. settings: checked by that package's own model."""

    package: PackageName
    settings: dict[str, Any] = Field(default_factory=dict)


class RobotConfig(Config):
    """Everything in which one robot differs from another; nothing else of a session does.

    arm: a file in ``config/arms``. safety: one in ``config/safety``. driver: what moves the arm. time: "simulated"
    where the driver publishes /clock, "real" for a machine that nobody can stop. emulator: what stands in for the
    device, on the device's own protocol, with the simulated stand behind it; None for a device and for a simulation.
    cameras: the file in ``config/cameras`` that this robot has for a name in the session's list, where it is another.
    detector: what tells whether the connection is made: "driver", where the detector is wired to the device; "node",
    where another node publishes ``task/electrical``; None where nothing does. Rewards that need it are refused then.
    """

    arm: Name
    safety: Name
    time: Literal["simulated", "real"]
    driver: DeviceConfig
    emulator: DeviceConfig | None = None
    cameras: dict[Name, Name] = Field(default_factory=dict)
    detector: Literal["driver", "node"] | None = None

    @model_validator(mode="after")
    def _emulated_in_real_time(self) -> RobotConfig:
        if self.emulator is not None and self.time != "real":
            raise ValueError("an emulated device lives in real time, as the device does: set time: real")
        return self
