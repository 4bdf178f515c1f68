"""Whether a reward that looks at the simulated picture can see what it pays for."""

from __future__ import annotations

from tenon.session.stand import Stand
from tenon.simulation.rendering import RenderingError
from tenon.simulation.sight import picture_doubts


def doubts_of_picture(stand: Stand) -> list[str]:
    """What is wrong with the picture, and what to do; empty where it tells enough, or where a real camera takes it."""
    simulated = stand.robot.time == "simulated" or stand.robot.emulator is not None
    if not simulated or stand.session.reward not in ("goal_image", "daib"):
        return []
    try:
        doubts = picture_doubts(stand.arm, stand.connector, stand.task)
    except RenderingError:  # the camera's node says it, with the remedy
        return []
    return [f"connector {stand.connector.name!r}: {doubt}" for doubt in doubts]
