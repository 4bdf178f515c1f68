"""One learner of one library in a process of its own, driven by lines of JSON. Runs in that library's environment.

    PYTHON learners_worker.py '{"library": "sb3", "case": {...}, "data": DIR, "scratch": DIR, "device": "cpu"}'

Answers with a line once the learner stands: its versions, or why there is none. Then, for each line
``{"what": "update" | "sample", "seconds": s}``, repeats that for so long and answers with count, wall and CPU time.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from learners_data import COMPILED, OWN, Case, UnsupportedError, read

ADAPTERS = {
    OWN: "learners_tenon",
    COMPILED: "learners_tenon",
    "sb3": "learners_peers",
    "sbx": "learners_peers",
    "d3rlpy": "learners_peers",
}
WARMUP_CALLS = 3


class Learner(Protocol):
    """What a library's adapter offers.

    updates_per_call: gradient steps of one ``update``. replay_bytes: what filling the replay took.
    """

    versions: Mapping[str, str]
    updates_per_call: int
    replay_bytes: int

    def update(self) -> None:
        """Samples and takes ``updates_per_call`` gradient steps, and waits until they are done."""

    def sample(self) -> None:
        """Draws one batch as tensors that an update could use."""


def main() -> None:
    answers = _stdout_for_answers_alone()
    request = json.loads(sys.argv[1])
    case, data = Case(**request["case"]), read(Path(request["data"]))
    try:
        adapter = importlib.import_module(ADAPTERS[request["library"]])
        learner = adapter.build(request["library"], case, data, Path(request["scratch"]), request["device"])
    except (UnsupportedError, ImportError) as reason:
        _answer(answers, {"missing": str(reason)})
        return
    for _ in range(WARMUP_CALLS):  # what is compiled at first use is compiled before another one is started
        learner.update()
        learner.sample()
    _answer(answers, {"versions": dict(learner.versions), "replay_bytes": learner.replay_bytes})
    for line in sys.stdin:
        order = json.loads(line)
        if order["what"] == "update":
            count, wall_s, cpu_s = _measure(learner.update, order["seconds"])
            count *= learner.updates_per_call
        else:
            count, wall_s, cpu_s = _measure(learner.sample, order["seconds"])
        _answer(answers, {"count": count, "wall_s": wall_s, "cpu_s": cpu_s})


def _measure(call: Callable[[], None], seconds: float) -> tuple[int, float, float]:
    """Calls for ``seconds``, but once at least."""
    count = 0
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    while count == 0 or time.perf_counter() - begin_s < seconds:
        call()
        count += 1
    return count, time.perf_counter() - begin_s, time.process_time() - begin_cpu_s


def _stdout_for_answers_alone() -> TextIO:
    """The real standard output; whatever a library prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, values: dict[str, Any]) -> None:
    answers.write(json.dumps(values, default=_number) + "\n")


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is no number")


if __name__ == "__main__":
    main()
