"""A real arm goes only where a person has taught it to go."""

from __future__ import annotations

from tenon.configuration.base import ConfigurationError
from tenon.session.calibrations import calibrate_command
from tenon.session.frames import is_simulated
from tenon.session.setup import SessionSetup
from tenon.session.stand import Stand


def check_goal_is_taught(setup: SessionSetup) -> None:
    """Whatever moves the arm asks this first: a task's own goal is where its simulation has the socket.

    Not a part of loading a session, for what teaches the goal loads one too. Raises ConfigurationError.
    """
    stand = setup.stand
    if not isinstance(stand, Stand) or is_simulated(stand):
        return
    session, known = stand.session, stand.calibration
    if known is not None and known.goal is not None:
        return
    named = None if known is None else known.name
    lacks = "" if named is None else f" (calibration {named!r} has no goal)"
    position_m = ", ".join(f"{value:.4g}" for value in setup.nominal_goal_in_base.position_m)
    teach = calibrate_command("goal", session.robot, session.task, connector=session.connector, name=named)
    use = "" if named is not None else ", and name it by `calibration:` in the session (of a run: its session.yaml)"
    raise ConfigurationError(
        f"robot {session.robot!r} is a real arm, and session {session.name!r} names no taught goal{lacks}: it would "
        f"go to where task {session.task!r} says, ({position_m}) m. Teach it ({teach}){use} (docs/first-day.md)"
    )
