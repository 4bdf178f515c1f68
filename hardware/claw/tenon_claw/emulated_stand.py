"""The emulated claw behind its driver, as a process of its own: the bus, and the claw and valve in MuJoCo behind it."""

from __future__ import annotations

import sys

from tenon.session.claw_stand import ClawStand
from tenon_claw.emulator.stand import EmulatedClaw
from tenon_claw.setup import settings_of
from tenon_graph.node import GraphNode, run, spin_and_drain
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime


class EmulatedStand(GraphNode):
    """The driver knows nothing of this node."""

    def __init__(self) -> None:
        super().__init__("emulated_stand")
        prefer_realtime(ARM_PRIORITY)  # a device is never late because the machine is busy
        stand = self.setup.stand
        assert isinstance(stand, ClawStand), f"{self.setup.config.task} is no task of a claw"
        settings = settings_of(self.setup)
        self._claw = EmulatedClaw(settings, stand.hand, stand.task, seed=stand.session.seed)
        self._claw.__enter__()

    def destroy_node(self) -> None:
        self._claw.__exit__(None, None, None)
        super().destroy_node()


def main(args: list[str] | None = None) -> int:
    """It lives a little longer than the session, as a device does: the driver takes its leave in order."""
    return run(EmulatedStand, args, spin=spin_and_drain)


if __name__ == "__main__":
    sys.exit(main())
