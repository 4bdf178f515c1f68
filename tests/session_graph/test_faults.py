"""Faults in a running session: the arm is held in time, the fault is named, latched, and only a person clears it.

All cases of a kind: ``python benchmarks/faults.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenon_session.testing.faults import FAULTS, Fault, FaultBench
from tenon_session.testing.sessions import fault_session
from tenon_session.testing.stage import Stage

CASES = 3
SEED = 0

pytestmark = [pytest.mark.session, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A graph that needs images, at the pace of a real arm, without lockstep."""
    directory = tmp_path_factory.mktemp("faults")
    with Stage(fault_session(directory, real_time_factor=1.0), directory).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def bench(stage: Stage) -> FaultBench:
    """Cases run in one endless run of episodes."""
    bench = FaultBench(stage)
    bench.begin()
    return bench


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_fault_holds_the_arm_in_time_and_latches_until_cleared(
    bench: FaultBench, stage: Stage, kind: type[Fault]
) -> None:
    results = [bench.run(kind, number, SEED) for number in range(CASES)]
    assert [problem for result in results for problem in result.problems] == []
