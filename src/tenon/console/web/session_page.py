"""The session as it runs: cameras, arm, force, reward, success, learner, topics, nodes."""

from __future__ import annotations

import math

from nicegui import ui

from tenon.console.liveness import NodeState
from tenon.console.model import SUCCESS, ConsoleView
from tenon.console.texts import age, angles, hertz, millimetres, milliseconds, percent
from tenon.console.web import parts
from tenon.console.web.context import Context, Refresh
from tenon.console.web.layout import page
from tenon.session.statistics import RECENT_EPISODES

FORCES = ("x", "y", "z")
JOINT = "_joint"
"""What the names of an arm's joints end with, which says nothing."""


def build(context: Context) -> None:
    with page(context, "/") as refreshes, ui.element("div").classes("t-grid"):
        with parts.card("Cameras", "t-w4"):
            refreshes.append(parts.pictures(context))
        with parts.card("Session", "t-w5"):
            # Above all that changes its size: a button that moves away under the pointer is not pressed.
            refreshes.append(parts.run_buttons(context))
            ui.label("The episode that runs is a").classes("t-title")
            refreshes += [parts.mark_buttons(context), _session()]
        with parts.card("Arm", "t-w3"):
            refreshes.append(_arm())
        with parts.card("Force on the tool, base axes", "t-w4"):
            refreshes.append(_wrench())
        with parts.card("Reward", "t-w4"):
            refreshes.append(_reward())
        with parts.card(f"Success, last {RECENT_EPISODES} episodes", "t-w4"):
            refreshes.append(_success())
        with parts.card("Learner", "t-w5"):
            refreshes.append(_learner())
        with parts.card("Topics", "t-w4"):
            refreshes.append(_topics())
        with parts.card("Nodes", "t-w3"):
            refreshes.append(_nodes())


def _session() -> Refresh:
    with ui.element("div").classes("t-tiles"):
        names = ("episode", "controller", "success, recent", "success, all", "last outcome", "peak force")
        tiles = {name: parts.tile(name) for name in names}
    detail = ui.label().classes("t-faint")

    def refresh(view: ConsoleView) -> None:
        progress = view.progress
        last = progress.episodes[-1] if progress.episodes else None
        texts = {
            "episode": str(progress.episode) if view.session else "–",
            "controller": progress.controller or "–",
            "success, recent": percent(progress.success_rate(RECENT_EPISODES)),
            "success, all": percent(progress.success_rate()),
            "last outcome": "–" if last is None else last.outcome.value,
            "peak force": f"{progress.peak_force_n:.1f} N",
        }
        for name, text in texts.items():
            tiles[name].set_text(text)
        kept = [word for word, on in (("recorded", view.recording), ("trained on", view.training)) if on]
        parts_of_detail = [view.session, ", ".join(kept), progress.detail]
        detail.set_text(" · ".join(part for part in parts_of_detail if part))

    return refresh


def _arm() -> Refresh:
    place, turn = ui.label("–"), ui.label("")
    table = parts.Table(("joint", "angle", "effort"), numbers=("angle", "effort"))

    def refresh(view: ConsoleView) -> None:
        arm = view.arm
        if arm is None:
            return
        pose = arm.tcp_in_base
        place.set_text(f"tool {millimetres(pose.position_m)}")
        turn.set_text(angles(pose.quaternion_xyzw))
        efforts = arm.joint_effort_nm if arm.joint_effort_nm.size else [math.nan] * len(view.joints)
        values = zip(view.joints, arm.joint_position_rad, efforts, strict=False)
        table.show(
            [
                (name.removesuffix(JOINT), f"{math.degrees(angle):.1f}°", f"{effort:.1f} Nm")
                for name, angle, effort in values
            ]
        )

    return refresh


def _wrench() -> Refresh:
    plot = parts.Plot("seconds ago", "N")
    newest = ui.label("–").classes("t-faint")

    def refresh(view: ConsoleView) -> None:
        plot.show({name: view.wrench[name] for name in FORCES})
        if view.arm is not None:
            force = view.arm.wrench_in_base[:3]
            torque = view.arm.wrench_in_base[3:]
            newest.set_text(f"force {math.hypot(*force):.1f} N, torque {math.hypot(*torque):.2f} Nm")

    return refresh


def _reward() -> Refresh:
    plot = parts.Plot("seconds ago", "")
    newest = ui.label("–").classes("t-faint")

    def refresh(view: ConsoleView) -> None:
        series = {
            name: [(at, value) for at, value in points if not math.isnan(value)] for name, points in view.reward.items()
        }
        plot.show({name: points for name, points in series.items() if points or name == "reward"})
        probability = series["probability"][-1][1] if series["probability"] else None
        said = "no classifier" if probability is None else f"classifier: {100.0 * probability:.0f} % success"
        reward = view.progress.reward
        newest.set_text(said if reward is None else f"reward {reward:.2f}, {said}")

    return refresh


def _success() -> Refresh:
    plot = parts.Plot("episodes seen by this console", "share", y_range=(0.0, 1.0))

    def refresh(view: ConsoleView) -> None:
        plot.show({SUCCESS: view.curves.get(SUCCESS, [])})

    return refresh


def _learner() -> Refresh:
    with ui.element("div").classes("t-tiles"):
        tiles = {name: parts.tile(name) for name in ("updates", "updates/s", "transitions", "durable")}
    choice = ui.select([], label="curve").props("dense outlined").classes("w-full")
    plot = parts.Plot("updates", "")

    def refresh(view: ConsoleView) -> None:
        trainer = view.progress.trainer
        if trainer is not None:
            tiles["updates"].set_text(str(trainer.updates))
            tiles["updates/s"].set_text(f"{trainer.updates_per_s:.0f}")
            tiles["transitions"].set_text(str(trainer.transitions))
            tiles["durable"].set_text(str(trainer.durable_updates))
        names = sorted(name for name in view.curves if name != SUCCESS)
        if choice.options != names:
            choice.set_options(names, value=choice.value if choice.value in names else next(iter(names), None))
        plot.show({choice.value: view.curves[choice.value]} if choice.value in view.curves else {})

    return refresh


def _topics() -> Refresh:
    numbers = ("rate", "by clock", "late", "most", "age")
    table = parts.Table(("topic", *numbers), numbers=numbers)

    def refresh(view: ConsoleView) -> None:
        heard = [topic for topic in view.topics if topic.age_s is not None]
        table.show(
            [
                (
                    topic.name,
                    hertz(topic.rate_hz),
                    hertz(topic.wall_hz),
                    milliseconds(topic.late_s),
                    milliseconds(topic.late_most_s),
                    age(topic.age_s),
                )
                for topic in heard
            ]
        )

    return refresh


def _nodes() -> Refresh:
    table = parts.Table(("node", "state"))
    styles = {NodeState.UP: "", NodeState.SILENT: "t-warn", NodeState.GONE: "t-bad"}

    def refresh(view: ConsoleView) -> None:
        rows = [(node.name, f"{node.state.value} {age(node.since_s)}".strip()) for node in view.nodes]
        table.show(rows, [styles[node.state] for node in view.nodes])

    return refresh
