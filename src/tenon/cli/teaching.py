"""A stand that a person teaches: its driver alone, or the one that runs already, and how to ask the person."""

from __future__ import annotations

import getpass
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tenon.cli.console import note
from tenon.cli.errors import CommandError, UsageError
from tenon.cli.settings import beside_the_arm

if TYPE_CHECKING:
    from tenon.control.teaching import TaughtPose
    from tenon.control.types import Pose, RobotState
    from tenon.session.setup import SessionSetup
    from tenon_session.teaching import TeachingNode

LAUNCH_FILE = Path("launch", "arm.launch.yaml")
ARM_NODE = "arm_driver"
MAY_COMMAND = frozenset({"session_manager", "safety_supervisor"})
HAND_TIMEOUT_S = 30.0
RESTING_M_S = 0.001
NEAR_M = 0.004


@dataclass(frozen=True, slots=True)
class TaughtStand:
    """A stand whose arm can be taught. simulated: a simulated hand does what a person would."""

    setup: SessionSetup
    node: TeachingNode
    simulated: bool

    def guide_home(self) -> None:
        """The plug comes home by hand; afterwards the arm holds there. Raises CommandError."""
        if not self.simulated:
            self.by_hand("guide the plug into the socket until nothing gives any more")
            return
        note("simulated: a simulated hand guides the plug home")
        with self._giving_way():
            self.node.guide_home()
            if not self.node.wait_for(self._is_home, HAND_TIMEOUT_S):
                raise CommandError("the simulated hand did not get the plug home: see the log of the arm's driver")
            self.node.let_go()

    def guide_to(self, tcp_in_base: Pose, words: str) -> None:
        """The arm comes to a pose by hand; a person is asked in ``words``. Raises CommandError."""
        if not self.simulated:
            self.by_hand(words)
            return
        with self._giving_way():
            self.node.guide_to(tcp_in_base)
            if not self.node.wait_for(lambda state: _rests_at(state, tcp_in_base), HAND_TIMEOUT_S):
                raise CommandError("the simulated hand did not get the tool where it should be: see the driver's log")
            self.node.let_go()

    def pose(self) -> TaughtPose:
        """Where the arm rests now. Raises CommandError."""
        from tenon.control.teaching import PoseTeaching, TeachingError
        from tenon_session.teaching import StandError

        teaching = PoseTeaching()
        try:
            self.node.collect(teaching)
            return teaching.result()
        except (TeachingError, StandError) as error:
            raise CommandError(str(error)) from error

    def by_hand(self, words: str) -> None:
        """A person moves the arm; afterwards it holds, whatever came between. Raises UsageError where there is none."""
        _require_person()
        with self._giving_way():
            ask(f"The arm gives way: {words}, then press Enter and take the hand off")

    @contextmanager
    def _giving_way(self) -> Iterator[None]:
        self.node.expect_freedrive()
        try:
            self.node.give_way(on=True)  # it may have heard, whatever becomes of its answer
            yield
        finally:
            self.node.give_way(on=False)

    def _is_home(self, state: RobotState) -> bool:
        return _rests_at(state, self.setup.nominal_goal_in_base)


def _rests_at(state: RobotState, target: Pose) -> bool:
    import numpy as np

    from tenon.control.geometry import distance

    speed_m_s = float(np.linalg.norm(state.tcp_velocity_in_base[:3]))
    return distance(state.tcp_in_base, target)[0] < NEAR_M and speed_m_s < RESTING_M_S


def ask(words: str) -> None:
    """Waits for an Enter that comes after the question. Raises UsageError where nobody can press it, or has gone."""
    _require_person()
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    note(words)
    if not sys.stdin.readline():
        raise UsageError("the terminal was closed before Enter was pressed: nothing was taken, run it again")


def _require_person() -> None:
    if not sys.stdin.isatty():
        raise UsageError("this asks a person to move the arm: run it in a terminal")


def operator(name: str | None) -> str:
    """Who does it: what was typed, else who is logged in."""
    return name or getpass.getuser()


@contextmanager
def taught_stand(setup: SessionSetup) -> Iterator[TaughtStand]:
    """Uses the driver that runs on this domain, else brings up the robot's own. Raises CommandError.

    The nodes read the resolved session: what was typed counts, and no calibration that is old or another's.
    """
    from embedded_ros2.router import RouterError
    from tenon.cli.run_directory import write_session
    from tenon.session.frames import is_simulated
    from tenon_session.graph import GraphError, SessionGraph, router
    from tenon_session.introspection import settle, spinning_node
    from tenon_session.teaching import StandError, TeachingNode

    try:
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(TemporaryDirectory(prefix="tenon_calibrate_")))
            parameters = {"session": str(write_session(scratch, setup.config))}
            stack.enter_context(router())
            node = stack.enter_context(spinning_node(lambda: TeachingNode(parameters)))
            assert isinstance(node, TeachingNode)
            settle(node)
            there = {name.rsplit("/", 1)[-1] for name in node.nodes()}
            if commanding := there & MAY_COMMAND:
                raise CommandError(
                    f"{', '.join(sorted(commanding))} runs on this domain and may move the arm while a hand is on it: "
                    "end that session first, or give this a domain of its own, for example ROS_DOMAIN_ID=1"
                )
            if ARM_NODE not in there:
                beside, nodes = beside_the_arm(setup)
                graph = SessionGraph(_launch_file(), {**parameters, **beside}, scratch)
                stack.enter_context(graph)
                graph.wait_until_ready([ARM_NODE, *nodes], node.nodes)
            yield TaughtStand(setup, node, is_simulated(setup.insertion_stand))
    except (GraphError, RouterError, StandError) as error:
        raise CommandError(str(error)) from error


def _launch_file() -> Path:
    from tenon.configuration.resolve import config_root

    return config_root().parent / LAUNCH_FILE
