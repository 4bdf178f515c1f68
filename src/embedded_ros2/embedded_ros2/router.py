"""``python -m embedded_ros2.router``: see ``embedded_ros2.rmw.zenoh.router``."""

from __future__ import annotations

import sys

from embedded_ros2.rmw.zenoh.router import RouterError, RouterProcess, ensure_router, main

__all__ = ["RouterError", "RouterProcess", "ensure_router", "main"]

if __name__ == "__main__":
    sys.exit(main())
