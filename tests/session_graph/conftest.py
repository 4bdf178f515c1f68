"""Tests of the whole session run real graphs of processes; where one fails, the end of every node's log is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenon_session.testing.stage import Stage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed:
        stages = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Stage)]
        report.sections += [("node logs", stage.logs()) for stage in stages]
    return report
