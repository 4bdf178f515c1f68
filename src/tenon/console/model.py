"""All that the console knows of the robot: messages go in on the thread of the node, a view comes out for the pages."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenon.console.config import ConsoleConfig
from tenon.console.history import Curve, RecentHistory
from tenon.console.liveness import NodeStatus, Roster
from tenon.console.pictures import PictureSlot
from tenon.control.phase import SessionPhase
from tenon.control.types import RobotState
from tenon.session.statistics import RECENT_EPISODES, Outcome, summary_from_message
from tenon.session.watching import SessionProgress, View

WRENCH = ("x", "y", "z", "x torque", "y torque", "z torque")
REWARD = ("reward", "probability")
SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """One topic as it is heard. rate_hz: in session time; wall_hz: by arrival; None where two messages are lacking.

    age_s: since the newest came; None before the first. late_s, late_most_s: how far session time had gone on when
    messages came, median and most of the newest ones. nodes: who publishes it.
    """

    name: str
    rate_hz: float | None
    wall_hz: float | None
    age_s: float | None
    late_s: float | None
    late_most_s: float | None
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsoleView:
    """Everything that pages show but pictures, at one moment.

    session: its name, empty before it is heard. recording, training: of the episode that runs. arm: the newest reading;
    joints: its names. wrench, reward: by name, pairs of age in (negative) seconds and value. curves: success over
    episodes, and each metric of the learner over its updates. teleop: what drives, in words; empty: nothing does.
    takes_hand: whether the session listens to a person's device or control; is_driven: a person drives.
    not_recorded: why the recorder lost the last episode that it lost; empty: it lost none.
    """

    progress: View
    session: str
    recording: bool
    training: bool
    arm: RobotState | None
    joints: tuple[str, ...]
    wrench: Mapping[str, Sequence[tuple[float, float]]]
    reward: Mapping[str, Sequence[tuple[float, float]]]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    topics: Sequence[TopicStatus]
    nodes: Sequence[NodeStatus]
    is_connected: bool
    teleop: str
    takes_hand: bool
    is_driven: bool
    not_recorded: str


class ConsoleModel:
    """Observer of a session (``tenon_session.client.Observer``) and of the arm. Any thread may call any method."""

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._pictures: dict[str, PictureSlot] = {}
        self._roster = Roster(silent_after_s=config.silent_after_s, slow_silent_after_s=config.slow_silent_after_s)
        samples = math.ceil(config.history_s * config.sample_rate_hz) + 1
        self._wrench = RecentHistory(WRENCH, span_s=config.history_s, most=samples)
        self._reward = RecentHistory(REWARD, span_s=config.history_s, most=samples)
        self._topics: tuple[TopicStatus, ...] = ()
        self._arm: RobotState | None = None
        self._joints: tuple[str, ...] = ()
        self._teleop, self._takes_hand, self._is_driven = "", False, False
        self._begin_session("")

    def _begin_session(self, name: str) -> None:
        self._session, self._recording, self._training = name, False, False
        self._progress = SessionProgress()
        self._episodes: set[int] = set()
        self._outcomes: list[bool] = []
        self._recorder_error = ""
        self._curves: dict[str, Curve] = {}
        self._reward.clear()

    # --- what the session says ----------------------------------------------------------------------------------------

    def on_session_state(self, message: Any) -> None:
        with self._lock:
            if message.session != self._session:
                self._begin_session(str(message.session))
            self._recording, self._training = bool(message.record), bool(message.train)
            self._progress.on_session_state(message)

    def on_safety_state(self, message: Any) -> None:
        self._progress.on_safety_state(message)

    def on_trainer_state(self, message: Any) -> None:
        with self._lock:
            self._progress.on_trainer_state(message)
            for name, value in zip(message.metric_names, message.metric_values, strict=False):
                if math.isfinite(value):
                    self._curve(str(name)).add(float(message.updates), float(value))

    def on_reward(self, message: Any) -> None:
        with self._lock:
            self._progress.on_reward(message)
            logit = float(message.logit)
            probability = math.nan if math.isnan(logit) else 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
            self._reward.add(time.monotonic(), (float(message.reward), probability))

    def on_episode(self, message: Any) -> None:
        with self._lock:
            self._progress.on_episode(message)
            episode = summary_from_message(message)
            if episode.episode in self._episodes or episode.outcome is Outcome.STOPPED:
                return
            self._episodes.add(episode.episode)
            self._outcomes = [*self._outcomes[1 - RECENT_EPISODES :], episode.success]
            share = sum(self._outcomes) / len(self._outcomes)
            self._curve(SUCCESS).add(float(len(self._episodes)), share)

    def on_recorder_error(self, error: str) -> None:
        """Why the recorder could not keep an episode, with its name; it says so once a second from then on."""
        with self._lock:
            self._recorder_error = error

    def on_rate(self, topic: str, rate_hz: float | None) -> None:
        self._progress.on_rate(topic, rate_hz)

    def _curve(self, name: str) -> Curve:
        return self._curves.setdefault(name, Curve(self._config.curve_points))

    # --- what is seen of the robot and of the graph -------------------------------------------------------------------

    def on_arm(self, joints: Sequence[str], state: RobotState) -> None:
        """The newest reading, at the rate of the plots."""
        with self._lock:
            self._joints, self._arm = tuple(joints), state
            self._wrench.add(time.monotonic(), [float(value) for value in state.wrench_in_base])

    def on_no_arm(self) -> None:
        """Readings have stopped: the last one is not shown as if it were of now."""
        with self._lock:
            self._arm = None

    def on_topics(self, topics: Sequence[TopicStatus]) -> None:
        now_s = time.monotonic()
        with self._lock:
            self._topics = tuple(topics)
            for topic in topics:
                if topic.age_s is not None:
                    self._roster.on_heard(topic.name, now_s - topic.age_s)

    def on_graph(self, nodes: Collection[str], arm: str | None) -> None:
        with self._lock:
            self._roster.on_graph(nodes, arm, time.monotonic())

    def to_ask(self) -> list[str]:
        """The nodes that shall show by an answer that they live."""
        with self._lock:
            return self._roster.to_ask()

    def on_asked(self, node: str) -> None:
        with self._lock:
            self._roster.on_asked(node, time.monotonic())

    def on_answered(self, node: str) -> None:
        with self._lock:
            self._roster.on_answered(node)

    def on_teleop(self, text: str, *, engaged: bool) -> None:
        with self._lock:
            self._teleop, self._is_driven = text, engaged

    def on_teleop_node(self, *, is_there: bool) -> None:
        """Without it nobody's device or control has an effect."""
        with self._lock:
            self._takes_hand = is_there

    # --- what pages take ----------------------------------------------------------------------------------------------

    def picture(self, camera: str) -> PictureSlot:
        """The place of a camera's newest picture; made when it is asked for first."""
        with self._lock:
            return self._pictures.setdefault(camera, PictureSlot(self._config.picture))

    def cameras(self) -> list[str]:
        """Topics of the cameras that have given a picture, by name."""
        with self._lock:
            return sorted(name for name, slot in self._pictures.items() if slot.number)

    def phase(self) -> SessionPhase:
        """Of the session, as it said last."""
        return self._progress.view().phase

    def fault(self) -> str:
        """Name and detail of the fault that the session stands in, as it said last; empty: in none."""
        view = self._progress.view()
        return view.detail if view.phase is SessionPhase.FAULT else ""

    def view(self) -> ConsoleView:
        now_s = time.monotonic()
        with self._lock:
            return ConsoleView(
                progress=self._progress.view(),
                session=self._session,
                recording=self._recording,
                training=self._training,
                arm=self._arm,
                joints=self._joints,
                wrench=self._wrench.series(now_s),
                reward=self._reward.series(now_s),
                curves={name: curve.points() for name, curve in self._curves.items()},
                topics=self._topics,
                nodes=self._roster.statuses(now_s),
                is_connected=not self._roster.is_empty,
                teleop=self._teleop if self._takes_hand else "",
                takes_hand=self._takes_hand,
                is_driven=self._takes_hand and self._is_driven,
                not_recorded=self._recorder_error,
            )
