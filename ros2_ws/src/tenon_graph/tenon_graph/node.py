"""What every node of Tenon shares: the session's configuration, topics by contract, one way to start and to end."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

from tenon.configuration import ConfigurationError
from tenon.session.setup import SessionSetup, load_setup
from tenon_graph.contract import Topic
from tenon_graph.scheduling import CONTROL_PRIORITY, prefer_realtime, share_the_rest

SWITCH_INTERVAL_S = 0.0005
"""Messages arrive on a thread of the middleware, which must not wait 5 ms for each turn while a callback computes."""
AS_SESSION = "as_session"
"""Value of a parameter that leaves the session's file as it is; an empty string cannot be given in a launch file."""
POLL_S = 0.1
"""How soon a node that drains notices the signal."""
DRAIN_S = 1.0
"""How long it serves afterwards; the launcher waits for five seconds."""


def text_parameter(node: Node, name: str, default: str, description: str) -> str:
    """Declares a read-only string parameter and returns its value."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    return str(node.declare_parameter(name, default, descriptor).value)


class GraphNode(Node):
    """A node of the session: reads which session it belongs to from its parameters and wires topics by contract.

    Its time is that of the session's robot. waited_for: a physical arm waits for this node's answers, so it asks for
    real-time scheduling; else it leaves that to others.
    """

    waited_for = True

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.setup = self._load_setup()
        # Not a launch argument: whoever starts a real arm on simulated time would have it wait for a clock forever.
        simulated = self.setup.robot.time == "simulated"
        self.set_parameters([Parameter("use_sim_time", Parameter.Type.BOOL, simulated)])
        if not simulated and self.waited_for:
            prefer_realtime(CONTROL_PRIORITY)
        elif not simulated:
            share_the_rest()
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)

    def _load_setup(self) -> SessionSetup:
        session = text_parameter(self, "session", "sim", "name of a file in config/sessions, or a path")
        given = {
            key: text_parameter(self, key, AS_SESSION, f"overrides the session's {key}")
            for key in ("robot", "task", "run_directory")
        }
        return load_setup(session, {key: value for key, value in given.items() if value != AS_SESSION})

    def advertise(self, topic: Topic) -> Publisher:
        return self.create_publisher(topic.type, topic.name, topic.qos)

    def subscribe(self, topic: Topic, callback: Callable[[Any], None], *, depth: int | None = None) -> Subscription:
        """depth: how many messages may wait for this node, where it is not the contract's."""
        return self.create_subscription(topic.type, topic.name, callback, topic.qos_of_depth(depth))

    def now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def serve_next(executor: Executor) -> None:
    """One turn of a node that answers at once."""
    executor.spin_once(timeout_sec=POLL_S)


def spin_and_drain(node: Node, serve: Callable[[Executor], None] = serve_next) -> None:
    """Like rclpy.spin; what was under way when the signal came is served too, so that nothing that was said is lost.

    serve: one turn, of POLL_S at most when there is nothing to do.
    """
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not told.is_set():
        serve(executor)
    deadline_s = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline_s:
        executor.spin_once(timeout_sec=POLL_S)  # rclpy begins its round anew when the time-out is another
    executor.shutdown()


def run(
    create: Callable[[], Node],
    args: Sequence[str] | None = None,
    *,
    spin: Callable[[Node], None] = rclpy.spin,
    errors: tuple[type[Exception], ...] = (),
) -> int:
    """Starts a node, spins it until it is told to stop, and returns the exit status: 0, or 2 for a bad configuration.

    errors: what else an operator can mend; its message is printed without a traceback.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    rclpy.init(args=args)
    node = None
    try:
        node = create()
        spin(node)
    except (ConfigurationError, *errors) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the node may have no logger yet
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except Exception:
        if rclpy.ok():
            raise
        return 0  # told to stop in the middle of a callback, which found its context gone
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
