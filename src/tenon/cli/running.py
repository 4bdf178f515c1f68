"""A session's graph kept up while goals are run on it, watched on the screen, and ended in order by Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tenon.cli.by_hand import HandScreen, teleoperated
from tenon.cli.console import note
from tenon.cli.errors import CommandError
from tenon.cli.live import Screen, screen
from tenon.cli.run_directory import LOG_FOLDER
from tenon.cli.settings import expected_rates_hz, launch_arguments, launch_file, nodes_of
from tenon.control.mux import TELEOP
from tenon.control.phase import SessionPhase
from tenon.session.conductor import FAULT_HELD
from tenon.session.statistics import EpisodeSummary
from tenon.session.watching import SessionProgress, View

if TYPE_CHECKING:
    from tenon.session.machine import SessionPlan
    from tenon.session.setup import SessionSetup
    from tenon.training.snapshot import PolicySnapshot
    from tenon_session.client import RunResult, SessionClient, SessionRun
    from tenon_session.graph import SessionGraph

CLIENT_NODE = "tenon_cli"
POLL_S = 0.1
STOP_TIMEOUT_S = 20.0
FAULT_PATIENCE_S = 3.0
"""A run that nobody watches ends when a fault has been latched for this long."""
SILENCE_TIMEOUT_S = 180.0
"""Neither an episode nor a phase has changed, nor was there an update, for this long: the session hangs."""
TRAINER_IDLE_S = 3.0
"""The trainer reports once a second: standing still for this long, it has nothing left to do."""
TRAINER_TIMEOUT_S = 60.0
"""It has neither taken a transition nor done an update for this long, though both are due."""
SUMMARY_TIMEOUT_S = 10.0
"""The result of a run may overtake the summary of its last episode by less than this."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run came to. episodes: in the order in which they ended, stopped ones left out."""

    result: RunResult
    episodes: tuple[EpisodeSummary, ...]


class RecorderErrors:
    """What the recorder could not keep, noted once an episode, while the person can still do something about it."""

    def __init__(self) -> None:
        self.last = ""

    def tell(self, error: str) -> None:
        if error != self.last:
            self.last = error
            note(f"NOT RECORDED: {error}")

    def note_lost(self, lost: Sequence[EpisodeSummary], run_directory: Path, remedy: str) -> None:
        """Names what was heard of and is not whole on the disk, where there is any."""
        if lost:
            listed = ", ".join(f"{episode.episode} (seed {episode.seed})" for episode in lost)
            logs = f"tenon dataset info {run_directory} and {run_directory / LOG_FOLDER}/recorder_node.log say why"
            note(f"{len(lost)} of them are NOT kept whole: episode {listed}. {self.last or logs}. {remedy}")


class Interrupts:
    """SIGINT and SIGTERM while a graph is up: the first asks for an orderly end, the second kills the graph."""

    def __init__(self, graph: SessionGraph) -> None:
        self._graph = graph
        self.requested = False

    def __enter__(self) -> Interrupts:
        self._previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises KeyboardInterrupt once an end was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.requested:
            self._graph.kill()
            raise KeyboardInterrupt
        self.requested = True


@dataclass
class RunningSession:
    """A graph that is up, and the means to run goals on it."""

    graph: SessionGraph
    client: SessionClient
    progress: SessionProgress
    interrupts: Interrupts
    screen: Screen
    watched: bool
    recorder: RecorderErrors = field(default_factory=RecorderErrors)
    _last_change: tuple[Any, float] = field(default=(None, 0.0))

    def run(self, plan: SessionPlan, title: str, *, done_before: int | None = None) -> RunOutcome:
        """Runs a plan to its end.

        done_before: how many of its episodes were recorded before a restart and shall not be run again.
        A fault that the supervisor holds before the run has begun is waited for until a person has cleared it.
        Raises CommandError when the graph loses a node, hangs, or (unwatched) stops at a fault; KeyboardInterrupt
        after Ctrl-C, when the session stands.
        """
        self.progress.begin(title, plan.episodes - (done_before or 0))
        result = self._run_once(plan, done_before)
        while result.stop_reason.startswith(FAULT_HELD):
            result = self._run_once(plan, done_before)
        self._await_summaries(result.episodes)
        self.screen.show(self.progress.view())
        return RunOutcome(result, self.progress.view().counted)

    def _run_once(self, plan: SessionPlan, done_before: int | None) -> RunResult:
        from tenon_session.client import SessionError

        self._await_clearance()
        try:
            run = self.client.start(plan, resume=done_before is not None)
        except SessionError as error:
            raise CommandError(str(error)) from error
        while not run.done:
            self._watch(run)
            time.sleep(POLL_S)
        return run.result()

    def _await_clearance(self) -> None:
        while (fault := (view := self.progress.view()).fault) is not None:
            if not self.watched:
                raise CommandError(
                    f"{FAULT_HELD}, {fault.name}: {fault.detail}. Mend it, clear it (tenon session clear-fault), then "
                    "run this again"
                )
            self.check()
            self.screen.show(view)
            time.sleep(POLL_S)

    def check(self) -> None:
        """Raises CommandError when the graph has lost a node, KeyboardInterrupt after Ctrl-C."""
        self._check_graph()
        self.interrupts.check()

    def publish_policy(self, policy: PolicySnapshot) -> None:
        """Hands a policy to the policy node, in place of a trainer."""
        from tenon_graph.learning import snapshot_to_msg

        self.client.publish_weights(snapshot_to_msg(policy))

    def wait_for_trainer(self) -> None:
        """Waits until the trainer has worked off what it has: the number of its updates stands still."""
        last, since_s = -1, time.monotonic()
        while time.monotonic() - since_s < TRAINER_IDLE_S:
            self.check()
            view = self.progress.view()
            self.screen.show(view)
            updates = view.trainer.updates if view.trainer is not None else 0
            if updates != last:
                last, since_s = updates, time.monotonic()
            time.sleep(POLL_S)

    def save_training(self, transitions: int) -> Path:
        """Waits until the trainer holds so many transitions and has trained on them; returns its checkpoint's folder.

        The policy node has these weights then. Raises CommandError when training has stopped or gets nothing any more.
        """
        from tenon_session.client import SessionError

        seen, since_s = (-1, -1), time.monotonic()
        while True:
            self.check()
            view = self.progress.view()
            self.screen.show(view)
            trainer = view.trainer
            if trainer is not None and trainer.fault:
                raise CommandError(f"training has stopped: {trainer.fault}")
            state = (-1, -1) if trainer is None else (trainer.transitions, trainer.updates)
            if state != seen:
                seen, since_s = state, time.monotonic()
            elif time.monotonic() - since_s > TRAINER_TIMEOUT_S:
                raise CommandError(
                    f"the trainer holds {max(0, state[0])} of {transitions} transitions and does not get on: its log "
                    "in the run directory says why"
                )
            try:
                checkpoint: Path | None = self.client.save_training() if state[0] >= transitions else None
            except SessionError as error:
                raise CommandError(str(error)) from error
            if checkpoint is not None:
                return checkpoint
            time.sleep(POLL_S)

    def _watch(self, run: SessionRun) -> None:
        view = self.progress.view()
        self.screen.show(view)
        if self.interrupts.requested:
            self._stop(run)
            raise KeyboardInterrupt
        self._check_graph()
        self._check_progress(view)

    def _check_graph(self) -> None:
        from tenon_session.graph import GraphError

        try:
            self.graph.check()
        except GraphError as error:
            raise CommandError(f"{error}\nWhat was finished is kept") from error

    def _check_progress(self, view: View) -> None:
        # Before the first episode the session may wait for updates on prior data.
        updates = view.trainer.updates if view.trainer is not None else 0
        state = (view.phase, view.episode, view.detail, len(view.episodes), updates)
        if state != self._last_change[0]:
            self._last_change = (state, view.now_s)
        unchanged_s = view.now_s - self._last_change[1]
        if not self.watched and view.phase is SessionPhase.FAULT and unchanged_s > FAULT_PATIENCE_S:
            raise CommandError(f"the session stopped at a fault: {view.detail}")
        is_driven = view.phase is SessionPhase.RUNNING and view.controller == TELEOP
        waits_for_person = is_driven or view.phase in (SessionPhase.FAULT, SessionPhase.PAUSED)
        if not waits_for_person and unchanged_s > SILENCE_TIMEOUT_S:
            raise CommandError(
                f"the session hangs: {view.phase.name.lower()} in episode {view.episode} for {unchanged_s:.0f} s. "
                "The logs in the run directory say which node waits for what"
            )

    def _stop(self, run: SessionRun) -> None:
        from tenon_session.client import SessionError

        note("stopping the session (Ctrl-C again kills it)")
        try:
            self.client.stop()
        except SessionError as error:
            note(f"{error}; the goal is cancelled instead")
            run.cancel()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not run.done and time.monotonic() < deadline:
            self.screen.show(self.progress.view())
            time.sleep(POLL_S)

    def _await_summaries(self, episodes: int) -> None:
        deadline = time.monotonic() + SUMMARY_TIMEOUT_S
        while self.progress.view().done < episodes:
            if time.monotonic() > deadline:
                seen = self.progress.view().done
                raise CommandError(f"the session ran {episodes} episodes, but only {seen} summaries arrived")
            time.sleep(POLL_S)


@contextmanager
def running_session(
    setup: SessionSetup, session_file: Path, *, watched: bool, trainer: bool = True, device: bool = True
) -> Iterator[RunningSession]:
    """Brings up router and graph of a session, and takes both down at the end, whatever the end is.

    watched: somebody is there: faults wait to be cleared, and the rates of the main topics are measured for the view.
    trainer: without one, the caller brings the policy. device: a person's, which the session may name, is read here;
    without, the caller commands in that person's place.
    Raises CommandError when the graph does not come up, or when another session runs on this domain.
    """
    from embedded_ros2.router import RouterError
    from tenon_session.client import MAIN_TOPICS, SessionClient
    from tenon_session.graph import GraphError, SessionGraph, router
    from tenon_session.introspection import settle, spinning_node

    progress = SessionProgress(expected_rates_hz(setup.config))
    arguments = launch_arguments(session_file, setup, trainer=trainer)
    nodes = nodes_of(setup, trainer=trainer)
    try:
        with ExitStack() as stack:
            stack.enter_context(router())
            graph = SessionGraph(launch_file(), arguments, setup.run_directory / LOG_FOLDER)
            interrupts = stack.enter_context(Interrupts(graph))
            sampled = MAIN_TOPICS if watched else ()
            client = stack.enter_context(spinning_node(lambda: SessionClient(CLIENT_NODE, progress, sampled=sampled)))
            settle(client)
            _refuse_second_session(client.nodes())
            hand = stack.enter_context(teleoperated(setup, session_file)) if device else None
            stack.enter_context(graph)
            _wait_until_ready(graph, client, nodes, interrupts)
            shown = stack.enter_context(screen() if hand is None else HandScreen(screen(), hand))
            session = RunningSession(graph, client, progress, interrupts, shown, watched)
            client.on_recorder_error(session.recorder.tell)
            yield session
    except (GraphError, RouterError) as error:
        raise CommandError(str(error)) from error


def _wait_until_ready(graph: Any, client: Any, nodes: list[str], interrupts: Interrupts) -> None:
    from rich.progress import Progress

    from tenon.cli.console import ERR

    with Progress(console=ERR, transient=True) as bar:
        task = bar.add_task("starting the nodes", total=len(nodes))

        def advance(present: int, expected: int) -> None:
            interrupts.check()
            bar.update(task, completed=present, total=expected)

        graph.wait_until_ready(nodes, client.nodes, on_progress=advance)


def _refuse_second_session(nodes: list[str]) -> None:
    foreign = [name for name in nodes if name.rsplit("/", 1)[-1] == "session_manager"]
    if foreign:
        raise CommandError(
            f"a session runs on this domain already ({foreign[0]}): stop it, or give this one a domain of its own, for "
            "example ROS_DOMAIN_ID=1"
        )


@contextmanager
def steering(name: str) -> Iterator[SessionClient]:
    """A client of a session that somebody else runs. Raises CommandError."""
    from tenon_session.client import SessionClient, SessionError

    with joined_graph(lambda: SessionClient(name, SessionProgress())) as client:
        try:
            yield client
        except SessionError as error:
            raise CommandError(str(error)) from error


@contextmanager
def joined_graph(create: Callable[[], Any]) -> Iterator[Any]:
    """A node that finds those of this domain, also where the router that they began with has ended since.

    Raises CommandError where there can be no router.
    """
    from embedded_ros2.router import RouterError
    from tenon_session.graph import GraphError, joined

    try:
        with joined(create) as node:
            yield node
    except (GraphError, RouterError) as error:
        raise CommandError(str(error)) from error
