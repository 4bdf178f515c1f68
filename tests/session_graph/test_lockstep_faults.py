"""Under lockstep time stands still while a dead node is waited for, then goes on as for a real arm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenon_session.testing.faults import FaultBench, KilledPolicy
from tenon_session.testing.sessions import fault_session
from tenon_session.testing.stage import Stage

SEED = 0

pytestmark = [pytest.mark.session, pytest.mark.timeout(600)]


def test_killed_policy_is_found_under_lockstep(tmp_path: Path) -> None:
    session = fault_session(tmp_path, real_time_factor=2.0, lockstep_timeout_s=1.0)
    with Stage(session, tmp_path).open() as stage:
        bench = FaultBench(stage)
        bench.begin()
        result = bench.run(KilledPolicy, 0, SEED)
    assert result.problems == []
