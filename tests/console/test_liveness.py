"""Who is gone, who hangs, and who is merely not due yet."""

from __future__ import annotations

import pytest

from tenon.console.liveness import NodeState, NodeStatus, Roster

NODES = ("arm_driver", "safety_supervisor", "session_manager", "reward_node", "trainer_node")


@pytest.fixture
def roster() -> Roster:
    """A session that came up at 0 s."""
    roster = Roster(silent_after_s=2.0, slow_silent_after_s=4.0)
    roster.on_graph(NODES, "arm_driver", 0.0)
    return roster


def hear(roster: Roster, now_s: float, *, but: str = "") -> None:
    """All that a running session says."""
    for topic in ("joint_states", "safety/state", "trainer/state"):
        if topic != but:
            roster.on_heard(topic, now_s)


def amiss(roster: Roster, now_s: float) -> dict[str, NodeState]:
    return {node.name: node.state for node in roster.statuses(now_s) if node.state is not NodeState.UP}


def status(roster: Roster, name: str, now_s: float) -> NodeStatus:
    return next(node for node in roster.statuses(now_s) if node.name == name)


def test_session_in_which_all_speak_has_nothing_amiss(roster: Roster) -> None:
    hear(roster, 10.0)
    assert amiss(roster, 10.5) == {}


def test_killed_node_is_named_with_what_its_loss_means_and_what_to_do(roster: Roster) -> None:
    roster.on_graph([name for name in NODES if name != "reward_node"], "arm_driver", 5.0)
    hear(roster, 5.0)
    gone = status(roster, "reward_node", 6.0)
    assert gone.state is NodeState.GONE
    assert gone.since_s == pytest.approx(6.0)
    assert "reward" in gone.without
    assert "log/reward_node.log" in gone.remedy
    assert amiss(roster, 6.0) == {"reward_node": NodeState.GONE}


def test_node_that_returns_is_well_again(roster: Roster) -> None:
    roster.on_graph([name for name in NODES if name != "trainer_node"], "arm_driver", 5.0)
    roster.on_graph(NODES, "arm_driver", 9.0)
    hear(roster, 9.0)
    assert amiss(roster, 9.5) == {}


@pytest.mark.parametrize(
    ("topic", "node", "patience_s"),
    [
        ("safety/state", "safety_supervisor", 2.0),
        ("joint_states", "arm_driver", 2.0),
        ("trainer/state", "trainer_node", 4.0),
    ],
)
def test_node_that_falls_silent_is_named_once_it_is_overdue(
    roster: Roster, topic: str, node: str, patience_s: float
) -> None:
    hear(roster, 10.0)
    hear(roster, 10.0 + patience_s, but=topic)
    assert amiss(roster, 10.0 + patience_s) == {}
    hear(roster, 10.1 + patience_s, but=topic)
    assert amiss(roster, 10.1 + patience_s) == {node: NodeState.SILENT}


def test_node_that_is_not_always_heard_is_asked_and_named_when_it_does_not_answer(roster: Roster) -> None:
    assert sorted(roster.to_ask()) == ["reward_node", "session_manager"]
    for node in ("reward_node", "session_manager"):
        roster.on_asked(node, 10.0)
    assert roster.to_ask() == []
    roster.on_answered("reward_node")
    assert roster.to_ask() == ["reward_node"]
    hear(roster, 12.0)
    assert amiss(roster, 12.0) == {}
    hear(roster, 12.5)
    assert amiss(roster, 12.5) == {"session_manager": NodeState.SILENT}
    roster.on_answered("session_manager")
    assert amiss(roster, 12.6) == {}


def test_question_dies_with_the_node_that_was_asked(roster: Roster) -> None:
    roster.on_asked("reward_node", 10.0)
    roster.on_graph([name for name in NODES if name != "reward_node"], "arm_driver", 11.0)
    roster.on_graph(NODES, "arm_driver", 20.0)
    hear(roster, 20.0)
    assert amiss(roster, 20.5) == {}
    assert "reward_node" in roster.to_ask()


def test_node_that_has_just_come_has_its_time_to_speak(roster: Roster) -> None:
    roster.on_graph([*NODES, "observation_node"], "arm_driver", 50.0)
    hear(roster, 51.0)
    assert amiss(roster, 51.0) == {}
    hear(roster, 52.5)
    assert amiss(roster, 52.5) == {"observation_node": NodeState.SILENT}


def test_session_that_has_ended_is_not_a_row_of_losses(roster: Roster) -> None:
    roster.on_graph(["rviz"], None, 5.0)
    assert roster.is_empty
    assert roster.statuses(6.0) == []


def test_next_session_does_not_miss_the_nodes_of_the_one_before(roster: Roster) -> None:
    roster.on_graph([], None, 5.0)
    roster.on_graph(["safety_supervisor", "session_manager"], None, 8.0)
    hear(roster, 8.5)
    assert [node.name for node in roster.statuses(9.0)] == ["safety_supervisor", "session_manager"]
