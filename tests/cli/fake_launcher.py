"""Stands in for a launcher in tests: starts sleeping children, speaks as ros2 launch does, ends them when told to.

Arguments: FILE name:=value... with nodes:=a,b (children), dies:=a (this child ends at once, with
status:=3), deaf:=true (no reaction to SIGINT).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

ENDLESS = "import time\nwhile True: time.sleep(1)"
DYING = "import sys; sys.stderr.write('cannot open the camera\\n'); sys.exit({status})"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    options = dict(argument.split(":=", 1) for argument in sys.argv[2:])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: None if options.get("deaf") else stop.set())
    children = {}
    for number, name in enumerate(filter(None, options.get("nodes", "").split(",")), 1):
        code = DYING.format(status=options.get("status", 3)) if name == options.get("dies") else ENDLESS
        child = subprocess.Popen([sys.executable, "-c", code, name], stderr=subprocess.PIPE, text=True)
        say(f"[INFO] [{name}-{number}]: process started with pid [{child.pid}]")
        say(f"[{name}-{number}] I am {name}")
        children[f"{name}-{number}"] = child
    for label, child in children.items():
        if label.startswith(f"{options.get('dies')}-"):
            _, errors = child.communicate()
            say(f"[{label}] {errors.strip()}")
            if child.returncode:
                say(f"[ERROR] [{label}]: process has died [pid {child.pid}, exit code {child.returncode}, cmd 'x'].")
            else:
                say(f"[INFO] [{label}]: process has finished cleanly [pid {child.pid}]")
    while not stop.wait(0.05):
        pass
    for child in children.values():
        child.kill()
        child.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
