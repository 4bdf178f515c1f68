"""What a controller's safety bits mean, by Universal Robots' manual of RTDE: each has its name and its remedy."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.drivers import ArmFaultKind
from tenon_ur5.link import Reading
from tenon_ur5.stops import stop_of

NORMAL, REDUCED, PROTECTIVE, RECOVERY, SAFEGUARD, SYSTEM, ROBOT, EMERGENCY, VIOLATION, FAULT, STOPPED = range(11)
RUNNING, POWERED_OFF = 7, 3


def reading(*bits: int, mode: int = RUNNING) -> Reading:
    return Reading(
        timestamp_s=1.0,
        position_rad=np.zeros(6),
        velocity_rad_s=np.zeros(6),
        moment_nm=np.zeros(6),
        tcp_pose=(0.0,) * 6,
        tcp_force=np.zeros(6),
        robot_mode=mode,
        safety_bits=sum(1 << bit for bit in bits),
        status_bits=0,
        inputs=0,
    )


@pytest.mark.parametrize(
    ("bits", "mode", "kind", "remedy"),
    [
        ((PROTECTIVE, STOPPED), RUNNING, ArmFaultKind.PROTECTIVE_STOP, "enable"),
        ((SAFEGUARD, STOPPED), RUNNING, ArmFaultKind.SAFEGUARD_STOP, "fence"),
        ((SYSTEM, STOPPED), POWERED_OFF, ArmFaultKind.EMERGENCY_STOP, "button"),
        ((ROBOT, EMERGENCY, STOPPED), POWERED_OFF, ArmFaultKind.EMERGENCY_STOP, "button"),
        ((RECOVERY,), RUNNING, ArmFaultKind.NOT_READY, "freedrive"),
        ((VIOLATION, STOPPED), POWERED_OFF, ArmFaultKind.NOT_READY, "restart the safety system"),
        ((FAULT, STOPPED), POWERED_OFF, ArmFaultKind.NOT_READY, "restart the safety system"),
        ((NORMAL, STOPPED), RUNNING, ArmFaultKind.SAFEGUARD_STOP, "enabling switch"),
        ((NORMAL,), POWERED_OFF, ArmFaultKind.NOT_READY, "power on"),
    ],
)
def test_each_stop_has_its_name_and_its_remedy(
    bits: tuple[int, ...], mode: int, kind: ArmFaultKind, remedy: str
) -> None:
    stop = stop_of(reading(*bits, mode=mode))
    assert stop is not None and stop.kind is kind
    assert remedy in str(stop)


@pytest.mark.parametrize("bits", [(NORMAL,), (REDUCED,)])
def test_arm_that_may_move_is_not_stopped(bits: tuple[int, ...]) -> None:
    assert stop_of(reading(*bits)) is None
