"""Keeps every episode as one MCAP file, made of the very bytes that were on the wire."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.executors import Executor
from rclpy.qos import DurabilityPolicy, HistoryPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from tenon_msgs.msg import EpisodeSummary, SessionState, Transition

from tenon.data.episode_sorter import EpisodeSorter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, next_number
from tenon.data.recorder import Admission, Recorder
from tenon.simulation.scene import WRIST_CAMERA
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.interfaces import topic_spec
from tenon_graph.node import GraphNode, run, serve_next, spin_and_drain
from tenon_graph.recording import recorder_health_to_msg

NOT_RECORDED = {contract.POLICY_WEIGHTS.name}
"""Weights are kept as checkpoints; a copy in each episode would outweigh the episode."""
CLOSE_TIMEOUT_S = 30.0
TICK_PERIOD_S = 0.5
DIAGNOSTICS_PERIOD_S = 1.0
UNATTENDED_TICKS = 4
"""An episode whose session has left the graph for so many ticks in a row is over."""
QUEUED_STATES, QUEUED_IMAGES, QUEUED = 100, 30, 1000
"""How many messages of a topic may wait for this node: for it the newest is worth no more than any other. A second of
pictures, two of an arm's states; latched topics but the session's state keep what the contract says."""
GATHER_S = 0.005
"""How long messages gather before they are taken: to be woken for each would cost more than to record it."""
SILENT_TURNS = 4
"""rclpy's executor spends single turns on the clock, a timer, a service, or on finding a round at its end."""
PUBLICATION_NUMBER = "publication_sequence_number"


class RecorderNode(GraphNode):
    """/session/state opens an episode's file, /session/episode closes it, all else of the contract goes into it.

    What could not be kept is told on /diagnostics.
    """

    waited_for = False

    def __init__(self) -> None:
        super().__init__("recorder_node")
        self._directory = self.setup.episodes_directory
        config = self.setup.config.recording
        self._topics = [topic for topic in contract.TOPICS if topic.name not in NOT_RECORDED]
        self._topics += [Topic(name, Image, contract.SENSOR, contract.CAMERA_IMAGE.rate) for name in config.images]
        self._names = {topic.name: self.resolve_topic_name(topic.name) for topic in self._topics}
        topics = [topic_spec(topic, self._names[topic.name]) for topic in self._topics]
        awaited = [self._names[name] for name in (*config.images, *self._cameras())]
        self._recorder = Recorder(self._directory, topics, config, awaited=awaited)
        self._last_error = ""
        self._unattended_ticks = 0
        self._number = next_number(self._directory)
        self._session = ""
        self._sorter = self._new_sorter()
        self._heard = 0
        read = {
            contract.SESSION_STATE.name: self._on_state,
            contract.TRANSITION.name: self._on_transition,
            contract.EPISODE_SUMMARY.name: self._on_summary,
        }
        for topic in self._topics:
            callback = read.get(topic.name, partial(self._on_message, topic.name))
            self.create_subscription(topic.type, topic.name, callback, topic.qos_of_depth(_depth(topic)), raw=True)
        self._diagnostics = self.advertise(contract.DIAGNOSTICS)
        self.create_timer(TICK_PERIOD_S, self._tick)
        # Not by the session's time, which stops with the session; a fast one has four ticks in a moment.
        self.create_timer(TICK_PERIOD_S, self._look_after, clock=self.steady_clock)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_health, clock=self.steady_clock)

    def _cameras(self) -> tuple[str, ...]:
        """The graph's own pictures, where the session has a camera for them. All else that is dead stops a session."""
        has_wrist = any(camera.name == WRIST_CAMERA for camera in self.setup.stand.cameras)
        return (contract.CAMERA_IMAGE.name,) if has_wrist else ()

    def destroy_node(self) -> None:
        self._sorter.close()
        self._recorder.close(CLOSE_TIMEOUT_S)
        super().destroy_node()

    def serve(self, executor: Executor) -> None:
        """One turn: waits for a message, and takes it with those that came meanwhile."""
        serve_next(executor)
        time.sleep(GATHER_S)
        silent = 0
        for _ in range(QUEUED):
            heard = self._heard
            executor.spin_once(timeout_sec=0.0)
            silent = silent + 1 if self._heard == heard else 0
            if silent > SILENT_TURNS:
                return

    def _new_sorter(self) -> EpisodeSorter[SessionState, EpisodeSummary]:
        return EpisodeSorter(self._begin, partial(self._write, contract.TRANSITION.name), self._end)

    def _tick(self) -> None:
        self._sorter.tick(self.now_ns())

    def _look_after(self) -> None:
        self._look_after_session()
        error = self._recorder.status().last_error
        if error != self._last_error:
            self._last_error = error
            self.get_logger().error(error)
            self._publish_health()

    def _look_after_session(self) -> None:
        """Else cameras would fill the disk with the episode of a session manager that has died."""
        attended = self._sorter.open is None or self.count_publishers(contract.SESSION_STATE.name) > 0
        self._unattended_ticks = 0 if attended else self._unattended_ticks + 1
        if self._unattended_ticks == UNATTENDED_TICKS:
            self.get_logger().error("the session manager is gone: the episode that runs ends here")
            self._sorter.close()

    def _publish_health(self) -> None:
        self._diagnostics.publish(recorder_health_to_msg(self._last_error, self.now_ns()))

    def _on_message(self, name: str, data: bytes, info: Any) -> None:
        self._heard += 1
        self._write(name, data, info.get(PUBLICATION_NUMBER))

    def _on_state(self, data: bytes) -> None:
        self._heard += 1
        msg = deserialize_message(data, SessionState)
        if msg.session != self._session:
            self._sorter.close()
            self._session, self._sorter = msg.session, self._new_sorter()
        if msg.phase == SessionState.RUNNING:
            self._sorter.on_begin(msg.episode, msg if msg.record else None, self.now_ns())
        self._write(contract.SESSION_STATE.name, data)

    def _on_transition(self, data: bytes) -> None:
        self._heard += 1
        self._sorter.on_transition(deserialize_message(data, Transition).episode, bytes(data))

    def _on_summary(self, data: bytes) -> None:
        self._heard += 1
        msg = deserialize_message(data, EpisodeSummary)
        if self._sorter.open == msg.episode:
            self._write(contract.EPISODE_SUMMARY.name, data)
        self._sorter.on_summary(msg.episode, msg, msg.steps)

    def _begin(self, msg: SessionState) -> None:
        self._recorder.begin(self._contract(msg))
        self._number += 1

    def _end(self, summary: EpisodeSummary | None, complete: bool) -> None:
        if summary is None:
            self._recorder.abort("it was never summed up")
            return
        outcome = EpisodeOutcome(
            result=summary.outcome, detail=summary.detail, complete=complete, mark=summary.mark, who=summary.who
        )
        self._recorder.end(outcome).add_done_callback(self._report)

    def _contract(self, msg: SessionState) -> EpisodeContract:
        setup = self.setup
        return EpisodeContract(
            number=self._number,
            robot=setup.job.robot_name,
            task=setup.config.task,
            session=msg.session,
            session_episode=msg.episode,
            controller=msg.controller,
            train=msg.train,
            seed=msg.seed,
            configuration_hash=setup.data_hash,
            operator=setup.config.operator,
            calibration={
                "residual_controller": setup.job.controller_version(msg.controller),
                **setup.calibration_labels,
            },
            versions=setup.versions,
        )

    def _write(self, name: str, data: bytes, publication: int | None = None) -> None:
        if self._sorter.open is None:
            return
        stamp_ns = self.now_ns()
        admission = self._recorder.write(
            self._names[name], bytes(data), log_time_ns=stamp_ns, publish_time_ns=stamp_ns, publication=publication
        )
        if admission is Admission.DROPPED:
            self.get_logger().error("the disk cannot keep up, messages are dropped", throttle_duration_sec=5.0)

    def _report(self, done: Future[Path]) -> None:
        error = done.exception()
        if error is not None:
            self.get_logger().error(f"an episode could not be kept: {error}")


def _depth(topic: Topic) -> int | None:
    if topic is contract.SESSION_STATE:
        return QUEUED_STATES
    if topic.qos.history is HistoryPolicy.KEEP_ALL or topic.qos.durability is DurabilityPolicy.TRANSIENT_LOCAL:
        return None
    return QUEUED_IMAGES if topic.type is Image else QUEUED


def main(args: list[str] | None = None) -> int:
    return run(RecorderNode, args, spin=lambda node: spin_and_drain(node, node.serve))


if __name__ == "__main__":
    sys.exit(main())
