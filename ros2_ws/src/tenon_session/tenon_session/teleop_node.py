"""A person's device and the console's control -> /teleop/command, while they drive; their marks -> session/mark."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.task import Future
from std_srvs.srv import Trigger
from tenon_msgs.msg import Observation, SessionState, TeleopState
from tenon_msgs.srv import MarkEpisode

from tenon.configuration.base import ConfigurationError
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.control.mux import TELEOP
from tenon.control.phase import SessionPhase
from tenon.control.teleop.console import ConsoleControl
from tenon.control.teleop.device import DeviceError, InputDevice
from tenon.control.teleop.devices import create_device
from tenon.control.teleop.mapping import Mapping, Wish
from tenon.control.teleop.operator import NOTHING, Teleoperator
from tenon.control.types import Reference
from tenon.session.machine import Mark
from tenon_graph import contract
from tenon_graph.conversions import pose_from_msg, reference_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode, run

CONSOLE = "console"
RETRY_S = 1.0
"""How often a device that has gone is looked for."""


class TeleopNode(GraphNode):
    """The wires of tenon.control.teleop. device: None for the one that the session names.

    seen: the newest observation, for those who show a person where the tool is.
    """

    def __init__(self, device: InputDevice | None = None, **options: Any) -> None:
        super().__init__("teleop_node", **options)
        config = self.setup.stand.teleop
        if config is None:
            raise ConfigurationError(
                f"session {self.setup.config.name!r} names no device: set teleop to a file in config/teleop, such as "
                "spacemouse"
            )
        session = self.setup.config
        self._name = config.device.kind
        self._device = create_device(config.device) if device is None else device
        self._mapping = Mapping(config)
        console = config if self._name == CONSOLE else load_named(TeleopConfig, ConfigKind.TELEOP, CONSOLE)
        self._configs = {self._name: config, CONSOLE: console}
        self._console, self._console_mapping = ConsoleControl(console), Mapping(console)
        self._operator = Teleoperator(
            config,
            self.setup.safety.workspace,
            validity_ns=session.command_validity_ns,
            longest_step_ns=session.control_period_ns,
        )
        self._lost, self._retry_s, self._must_rest = "", 0.0, False
        self._driver = self._name
        self._gripper = 0.0
        self._told: dict[str, Any] = {}
        self.seen: Observation | None = None
        self._device.open()
        self._references = self.advertise(contract.TELEOP_REFERENCE)
        self._states = self.advertise(contract.TELEOP_STATE)
        self._marks = self.create_client(MarkEpisode, contract.MARK_EPISODE_SERVICE)
        self.create_service(Trigger, contract.HAND_BACK_SERVICE, self._on_hand_back)
        self.subscribe(contract.SESSION_STATE, self._on_session)
        self.subscribe(contract.OBSERVATION, self._on_observation)
        self.subscribe(contract.TELEOP_TWIST, self._on_twist)
        self.create_timer(1.0 / config.rate_hz, self._on_time, clock=self.steady_clock)
        self._tell()

    def destroy_node(self) -> None:
        self._device.close()
        super().destroy_node()

    def _on_session(self, msg: SessionState) -> None:
        self._operator.on_session(SessionPhase(msg.phase), owns=msg.controller == TELEOP)

    def _on_observation(self, msg: Observation) -> None:
        self.seen = msg
        self._send(self._operator.on_observation(to_ns(msg.header.stamp), pose_from_msg(msg.tcp_in_base)))

    def _on_twist(self, msg: TwistStamped) -> None:
        linear, angular = msg.twist.linear, msg.twist.angular
        velocity = np.array((linear.x, linear.y, linear.z, angular.x, angular.y, angular.z))
        self._console.on_twist(velocity, self._steady_s())

    def _on_hand_back(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        is_driven = self._operator.engaged
        hold = self._operator.hand_back(self.now_ns())
        self._send(hold)
        self._tell()
        response.success = hold is not None
        if hold is not None:
            response.message = "handed back"
        elif is_driven:
            response.message = "in a run that is driven by hand there is nobody to hand back to: mark the episode"
        else:
            response.message = "nobody has taken over"
        return response

    def _on_time(self) -> None:
        wish = self._wish()
        if wish is None:
            self._operator.let_go()
        else:
            self._gripper = wish.gripper
            for mark in wish.pressed.intersection(Mark):
                self._mark(mark)
            self._send(self._operator.on_wish(wish, self.now_ns()))
        self._tell()

    def _wish(self) -> Wish | None:
        """Of the console while its control is held, else of the device; None: there is nobody."""
        on_screen = self._console_mapping.wish(self._console.read(self._steady_s()))
        own = self._device_wish()
        if on_screen.moves:
            self._drive(CONSOLE)
        elif own is not None and own.moves:
            self._drive(self._name)
        if own is None:
            # Who drives by the console does so also while its control is at rest. It knows nothing of the gripper.
            return Wish(on_screen.velocity, gripper=self._gripper) if self._driver == CONSOLE else None
        return Wish(on_screen.velocity, own.pressed, own.gripper) if on_screen.moves else own

    def _drive(self, driver: str) -> None:
        """What is configured for whoever moves the arm counts."""
        if driver != self._driver:
            self._driver = driver
            self._operator.driven_by(self._configs[driver])

    def _device_wish(self) -> Wish | None:
        try:
            if self._lost:
                if self._steady_s() < self._retry_s:
                    return None
                self._device.open()
                self._lost = ""
            return self._rested(self._mapping.wish(self._device.read()))
        except DeviceError as error:
            if not self._lost:
                self.get_logger().error(str(error))
            self._device.close()
            self._must_rest = True
            # What went wrong first says more than why it cannot be opened again.
            self._lost, self._retry_s = self._lost or str(error), self._steady_s() + RETRY_S
            return None

    def _rested(self, wish: Wish) -> Wish:
        """A device that is back and still pushed moves nothing before it was at rest."""
        self._must_rest = self._must_rest and wish.moves
        return Wish(NOTHING.velocity, wish.pressed, wish.gripper) if self._must_rest else wish

    def _mark(self, mark: str) -> None:
        if not self._marks.service_is_ready():
            self.get_logger().error(f"nobody takes the mark {mark!r}: is the session manager up?")
            return

        def on_answer(future: Future) -> None:
            self.get_logger().info(future.result().message)

        self._marks.call_async(MarkEpisode.Request(mark=mark)).add_done_callback(on_answer)

    def _send(self, reference: Reference | None) -> None:
        if reference is not None:
            self._references.publish(reference_to_msg(reference))

    def _tell(self) -> None:
        """Says who drives, where that has changed."""
        state = {
            "device": self._driver,
            "engaged": self._operator.engaged,
            "gripper": self._gripper,
            "takeovers": self._operator.takeovers,
            "detail": self._lost,
        }
        if state != self._told:
            self._told = state
            msg = TeleopState(**state)
            msg.header.stamp = to_stamp(self.now_ns())
            self._states.publish(msg)

    def _steady_s(self) -> float:
        return float(self.steady_clock.now().nanoseconds) * 1e-9


def main(args: list[str] | None = None) -> int:
    return run(TeleopNode, args, errors=(DeviceError,))


if __name__ == "__main__":
    sys.exit(main())
