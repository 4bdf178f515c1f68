"""Trains beside the running session: transitions in, weights out, everything on disk as it goes."""

from __future__ import annotations

import sys
import time

from rclpy.clock import Clock, ClockType
from std_srvs.srv import Trigger
from tenon_msgs.msg import EpisodeSummary, TrainerState
from tenon_msgs.msg import Transition as TransitionMsg

from tenon.algorithms.base import DivergenceError, StateError
from tenon.configuration import ConfigurationError
from tenon.data.checkpoint import CheckpointError
from tenon.data.decode import DecodeError
from tenon.data.episodes import EpisodeError
from tenon.data.mapped_array import StorageError
from tenon.data.store import EpisodeStore
from tenon.data.transitions import Transition, TransitionError
from tenon.session.catch_up import missed_episodes
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer, TrainerError
from tenon_graph import contract
from tenon_graph.learning import metrics_into_msg, snapshot_to_msg, transition_from_msg
from tenon_graph.node import GraphNode, run, spin_and_drain

SLICE_S = 0.02
"""How long the node trains before it looks at its topics again."""
IDLE_PERIOD_S = 0.002
STATE_PERIOD_S = 1.0
CATCH_UP_DELAY_S = 2.0
"""After the end of an episode; by then its file is there."""

_DISK = (CheckpointError, StorageError)
_STOPPING = (ConfigurationError, DivergenceError, *_DISK)
"""What ends the training, and not the session: the last good policy goes on."""


class TrainerNode(GraphNode):
    """/transition -> tenon.training.Trainer -> /policy/weights (latched), /trainer/state. The service trainer/save."""

    waited_for = False

    def __init__(self) -> None:
        super().__init__("trainer_node")
        session = self.setup.config
        self._publish_every = session.weights_every_updates
        self._trainer = Trainer.open(
            TrainerConfig.model_validate(dict(self.setup.algorithm)),
            self.setup.environment_spec,
            self.setup.trainer_directory,
            seed=session.seed,
            prior=session.prior_data,
            initial=session.initial_checkpoint,
        )
        self._catch_up()
        self._metrics: dict[str, float] = {}
        self._published = -1
        self._rate_mark = (time.monotonic(), self._trainer.updates)
        self._stopped = ""
        self._newest = self._told = (0, 0)
        self._weights_publisher = self.advertise(contract.POLICY_WEIGHTS)
        self._state_publisher = self.advertise(contract.TRAINER_STATE)
        self.subscribe(contract.TRANSITION, self._on_transition)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(IDLE_PERIOD_S, self._on_slice, clock=steady)
        self.create_timer(STATE_PERIOD_S, self._publish_state, clock=steady)
        self._second_look = self.create_timer(CATCH_UP_DELAY_S, self._on_second_look, clock=steady, autostart=False)
        self._first_end = self.subscribe(contract.EPISODE_SUMMARY, self._on_first_end)
        self.create_service(Trigger, contract.SAVE_TRAINING_SERVICE, self._on_save)
        self._publish_weights()

    def destroy_node(self) -> None:
        try:
            self._trainer.close()
        except _DISK as error:
            self.get_logger().error(f"the end of the training is not saved, what was saved before is: {error}")
        super().destroy_node()

    def _catch_up(self) -> None:
        """Takes the episodes that were recorded while no trainer listened."""
        for transitions in missed_episodes(EpisodeStore(self.setup.episodes_directory), self._trainer):
            added = sum(self._take(transition) for transition in transitions)
            if added:
                first = transitions[0]
                self.get_logger().info(f"caught up with {added} steps of {first.session}, episode {first.episode}")

    def _take(self, transition: Transition) -> bool:
        """Whether the trainer lacked it. One that it refuses keeps the others from nothing."""
        try:
            return self._trainer.add(transition)
        except TransitionError as error:
            self.get_logger().error(f"a transition is refused: {error}")
            return False

    def _on_first_end(self, _msg: EpisodeSummary) -> None:
        """The episode that was under way as this node came up: its beginning is missing here, its file soon there."""
        self.destroy_subscription(self._first_end)
        self._second_look.reset()

    def _on_second_look(self) -> None:
        self._second_look.cancel()
        try:
            self._catch_up()
        except _STOPPING as error:
            self._stop(str(error))

    def _on_transition(self, msg: TransitionMsg) -> None:
        if not msg.train or self._stopped:
            return
        self._newest = (msg.episode, msg.step)
        try:
            self._take(transition_from_msg(msg))
        except DecodeError as error:
            self.get_logger().error(f"a transition is refused: {error}")
        except _STOPPING as error:
            self._stop(str(error))

    def _on_slice(self) -> None:
        deadline_s = time.monotonic() + SLICE_S
        try:
            while not self._stopped and self._trainer.update_due() and time.monotonic() < deadline_s:
                self._metrics = self._trainer.update().as_dict()
                if self._trainer.updates % self._publish_every == 0:
                    self._publish_weights()
                if self._trainer.save_due():
                    self._trainer.save()
        except _STOPPING as error:
            self._stop(str(error))
        self._tell_when_done()

    def _tell_when_done(self) -> None:
        """Where episodes wait for training: at once, with the weights that the next one shall have."""
        waits = self.setup.config.wait_for_training and not self._stopped
        if waits and self._told != self._newest and not self._trainer.update_due():
            self._told = self._newest
            self._publish_weights()
            self._publish_state()

    def _on_save(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Writes a checkpoint and publishes its weights, once nothing is due: it is then the transitions' alone."""
        if self._stopped:
            response.message = f"training has stopped: {self._stopped}"
        elif self._trainer.update_due():
            response.message = "updates are due"
        else:
            self._save(response)
        return response

    def _save(self, response: Trigger.Response) -> None:
        try:
            response.message, response.success = str(self._trainer.save()), True
            self._publish_weights()
        except _DISK as error:
            response.message = str(error)
            self._stop(str(error))

    def _stop(self, reason: str) -> None:
        """The last good policy goes on; a person decides."""
        self._stopped = reason
        self.get_logger().error(f"training stops: {reason}")

    def _publish_weights(self) -> None:
        """Not before the updates on prior data are done: practice begins with what they taught."""
        trainer = self._trainer
        if trainer.updates == self._published or trainer.updates < trainer.config.offline_updates:
            return
        self._published = self._trainer.updates
        self._weights_publisher.publish(snapshot_to_msg(self._trainer.snapshot()))

    def _publish_state(self) -> None:
        now_s, status = time.monotonic(), self._trainer.status
        since_s, before = self._rate_mark
        self._rate_mark = (now_s, status.updates)
        msg = TrainerState(
            method=status.method,
            transitions=status.transitions,
            updates=status.updates,
            episodes=status.episodes,
            durable_updates=status.durable_updates,
            behind=self._trainer.update_due(),
            episode=self._newest[0],
            step=self._newest[1],
            fault=self._stopped,
            updates_per_s=(status.updates - before) / max(now_s - since_s, 1e-9),
        )
        msg.header.stamp = self.get_clock().now().to_msg()
        metrics_into_msg(self._metrics, msg)
        self._state_publisher.publish(msg)
        self._publish_weights()


_FOR_OPERATORS = (CheckpointError, EpisodeError, StateError, StorageError, TrainerError, TransitionError)


def main(args: list[str] | None = None) -> int:
    return run(TrainerNode, args, spin=spin_and_drain, errors=_FOR_OPERATORS)


if __name__ == "__main__":
    sys.exit(main())
