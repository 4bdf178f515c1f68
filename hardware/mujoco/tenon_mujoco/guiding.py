"""A simulated person's hand on the graph: what a service asks for, as a place for the tool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tenon_msgs.srv import GuideHand

from tenon.control.types import Pose
from tenon_graph.conversions import pose_from_msg

PRESS_M = 0.002
"""A person who plugs in by hand goes on until nothing gives any more."""


def guide(
    request: GuideHand.Request,
    response: GuideHand.Response,
    seated_in_base: Pose,
    hand: Callable[[Pose | None], None],
) -> GuideHand.Response:
    """Carries out a request. seated_in_base: where the plug is home. hand: takes the tool to a place, or lets go."""
    target = _target(request, seated_in_base)
    if request.action != GuideHand.Request.RELEASE and target is None:
        response.message = f"a hand needs a pose that is finite, or one of the actions 0 to 2, got {request.action}"
        return response
    hand(target)
    response.success = True
    return response


def _target(request: GuideHand.Request, seated_in_base: Pose) -> Pose | None:
    if request.action == GuideHand.Request.SEATED:
        return Pose(seated_in_base.position_m - np.array((0.0, 0.0, PRESS_M)), seated_in_base.quaternion_xyzw)
    if request.action != GuideHand.Request.POSE:
        return None
    pose = pose_from_msg(request.tcp_in_base)
    finite = np.isfinite(pose.position_m).all() and np.isfinite(pose.quaternion_xyzw).all()
    return pose if finite and pose.quaternion_xyzw.any() else None
