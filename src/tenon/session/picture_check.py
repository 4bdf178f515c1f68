"""Whether a reward that looks at the simulated picture can see what it pays for, and which cameras nobody starts."""

from __future__ import annotations

from tenon.session.frames import is_simulated
from tenon.session.stand import Stand
from tenon.simulation.rendering import RenderingError
from tenon.simulation.sight import picture_doubts


def doubts_of_picture(stand: Stand) -> list[str]:
    """What is wrong with the picture, and what to do; empty where it tells enough, or where a real camera takes it."""
    if not is_simulated(stand) or stand.session.reward not in ("goal_image", "daib"):
        return []
    try:
        doubts = picture_doubts(stand.arm, stand.connector, stand.task)
    except RenderingError:  # the camera's node says it, with the remedy
        return []
    return [f"connector {stand.connector.name!r}: {doubt}" for doubt in doubts]


def cameras_not_started(stand: Stand) -> list[str]:
    """What a session names and does not bring up: of real cameras it starts the first, of simulated ones all."""
    real = [camera.name for camera in stand.cameras if camera.source != "simulation"]
    absent = [] if is_simulated(stand) else [camera.name for camera in stand.cameras if camera.name not in real]
    beside = "python -m tenon_perception.camera_node --ros-args -r __ns:=/{0} -p camera:={1}"
    return [
        *(f"camera {name!r} is a simulated one, on {stand.session.robot!r} it shows nothing" for name in absent),
        *(
            f"camera {name!r} is not started with the session, which starts the first real one alone. Beside it: "
            f"{beside.format(name, stand.robot.cameras.get(name, name))}"
            for name in real[1:]
        ),
    ]
