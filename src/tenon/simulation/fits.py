"""Whether a connector can be practised in a task: what neither of the two files can tell alone."""

from __future__ import annotations

from tenon.configuration.base import ConfigurationError
from tenon.configuration.safety import WorkspaceConfig
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.profiles import bounds_of, text_mm
from tenon.simulation.tasks import InsertionTaskConfig, seated_pose

AIR_M = 0.001
"""Between the tip and what it must be clear of before it may move sideways."""
LEAST_TOLERANCES = 2
"""So many times the task's tolerance a plug goes in at least: one that stands on the rim would count as home."""

PRESS_SHARE, EASY_SHARE = 0.9, 0.6
"""Of what a task's controller can press with: from the first share on retention holds the plug outside (measured in
job-far: 7 of 8 N needs 26 steps straight above the hole, 7.5 N never goes in); from the second on it takes long."""


def check_fits(
    connector: ConnectorConfig,
    task: InsertionTaskConfig,
    *,
    withdraw_m: float | None = None,
    workspace: WorkspaceConfig | None = None,
) -> None:
    """Raises ConfigurationError that names each reason, with the key to change, where an episode could not work.

    withdraw_m: of the session's reset. workspace: of the robot's safety. Left out, what depends on them is not checked.
    """
    wrong = [
        *_heights(connector, task, withdraw_m),
        *_below(connector, task, workspace),
        *_shallow(connector, task),
        *_held(connector, task),
    ]
    if wrong:
        raise ConfigurationError("\n".join(f"connector {connector.name!r}: {reason}" for reason in wrong))


def doubts(connector: ConnectorConfig, task: InsertionTaskConfig) -> list[str]:
    """What will work badly though it is taken, a sentence each."""
    held_n, pressed_n = connector.retention.maximum_n, press_n(task)
    if held_n < EASY_SHARE * pressed_n:
        return []
    return [
        f"retention.maximum_n of {held_n:g} N is much of the {pressed_n:.3g} N that the arm can press with in "
        "this task: episodes that draw a strong spring may end before the plug is home"
    ]


def measures(connector: ConnectorConfig, task: InsertionTaskConfig) -> str:
    """What it measures and what the task has for it, one line."""
    plug = bounds_of(*connector.plug.outlines())
    hole = bounds_of(*connector.opening.outlines())
    gaps_m = (hole.width_m - plug.width_m) / 2, (hole.height_m - plug.height_m) / 2
    return (
        f"{connector.plug.shape}, {plug.width_m * 1e3:.4g} x {text_mm(plug.height_m)}, "
        f"{text_mm(connector.depth_m)} deep, {gaps_m[0] * 1e3:.3g} and {text_mm(gaps_m[1])} of gap per side; starts "
        f"{text_mm(task.start_height_m)} above home, clear of the socket at {text_mm(clear_height_m(connector))}; "
        f"springs up to {connector.retention.maximum_n:g} N, the arm presses with up to {press_n(task):.3g} N"
    )


def clear_height_m(connector: ConnectorConfig) -> float:
    """How far above home the tip is clear of the socket, and of the panel where the socket lies in a recess."""
    return connector.depth_m + _recess_m(connector) + AIR_M


def press_n(task: InsertionTaskConfig) -> float:
    """What the plug can be pressed down with close to home, by whatever controller acts in the task."""
    residual, impedance = task.residual.alone(), task.scene.impedance
    box_m = task.success_tolerance_m - residual.box.lower_m[2]
    step_m = min(residual.authority_m[2], residual.step_limit_m, box_m)
    guard_n = task.force_limit_n if residual.force_guard is None else residual.force_guard.force_n
    return min(impedance.stiffness_n_m[2] * step_m, impedance.force_limit_n[2], task.force_limit_n, guard_n)


def _recess_m(connector: ConnectorConfig) -> float:
    return 0.0 if connector.housing is None else max(0.0, -connector.housing.proud_m)


def _heights(connector: ConnectorConfig, task: InsertionTaskConfig, withdraw_m: float | None) -> list[str]:
    needed_m, recess_m = clear_height_m(connector), _recess_m(connector)
    recess = f"a recess of {text_mm(recess_m)}, " if recess_m > 0 else ""
    heights = {"start_height_m of the task": task.start_height_m, "reset.withdraw_m of the session": withdraw_m}
    return [
        f"its tip is clear of the socket {text_mm(needed_m)} above home (depth_m {connector.depth_m:g}, {recess}"
        f"{text_mm(AIR_M)} of air), but {key} is {text_mm(height_m)}: raise it to {needed_m:.4g}, or lower depth_m"
        for key, height_m in heights.items()
        if height_m is not None and height_m < needed_m
    ]


def _below(connector: ConnectorConfig, task: InsertionTaskConfig, workspace: WorkspaceConfig | None) -> list[str]:
    if workspace is None:
        return []
    home_m, floor_m = float(seated_pose(task, connector).position_m[2]), workspace.min_m[2]
    if home_m >= floor_m:
        return []
    return [
        f"home is {text_mm(home_m)} above the base (depth_m {connector.depth_m:g} below "
        f"scene.socket_mouth_in_base_m), the safety workspace ends at {text_mm(floor_m)}: lower depth_m, or raise the "
        "task's scene.socket_mouth_in_base_m"
    ]


def _shallow(connector: ConnectorConfig, task: InsertionTaskConfig) -> list[str]:
    needed_m = LEAST_TOLERANCES * task.success_tolerance_m
    if connector.depth_m >= needed_m:
        return []
    return [
        f"depth_m is {text_mm(connector.depth_m)}, success_tolerance_m of the task "
        f"{text_mm(task.success_tolerance_m)}: a plug that stands on the rim would nearly count as home. It takes a "
        f"depth_m of {needed_m:.4g} or more, or a task with a smaller success_tolerance_m"
    ]


def _held(connector: ConnectorConfig, task: InsertionTaskConfig) -> list[str]:
    held_n, pressed_n = connector.retention.maximum_n, press_n(task)
    if held_n < PRESS_SHARE * pressed_n:
        return []
    return [
        f"retention.maximum_n is {held_n:g} N, but in this task the arm presses with at most {pressed_n:.3g} N, "
        f"so that the plug stays outside: take less than {PRESS_SHARE * pressed_n:.3g} N, or raise the task's "
        "residual.authority_m on z or scene.impedance.stiffness_n_m"
    ]
