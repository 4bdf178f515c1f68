"""For all tests: Ctrl-C works in the programs that they start, also where a shell ran the tests in the background."""

from __future__ import annotations

import signal

# A shell lets background jobs ignore SIGINT, and what is ignored is inherited by every child.
signal.signal(signal.SIGINT, signal.default_int_handler)
