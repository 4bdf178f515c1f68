"""The emulated claw behind its driver, as a process of its own: the bus, and the claw and valve in MuJoCo behind it."""

from __future__ import annotations

import sys

from tenon.session.claw_stand import ClawStand
from tenon_claw.emulator.stand import EmulatedClaw
from tenon_claw.setup import settings_of
from tenon_graph.node import GraphNode, run
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
    return run(EmulatedStand, args)


if __name__ == "__main__":
    sys.exit(main())
