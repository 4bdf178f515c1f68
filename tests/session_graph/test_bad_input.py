"""Bad input to nodes: refused with a clear error by the one that gets it, and nothing else breaks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tenon_msgs.action import RunSession
from tenon_msgs.msg import PolicyWeights, SafetyState, SessionState

from tenon_graph import contract
from tenon_session.testing.sessions import fault_session, learning_session
from tenon_session.testing.stage import Stage, private_network, start_node

NODE_TIMEOUT_S = 120.0

pytestmark = [pytest.mark.session, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A graph that runs a policy of its trainer without end."""
    directory = tmp_path_factory.mktemp("bad_input")
    with Stage(learning_session(directory), directory).open() as opened:
        probe = opened.probe
        probe.listen(contract.POLICY_WEIGHTS, contract.POLICY_ACTION, contract.OBSERVATION)
        probe.start_run(RunSession.Goal(controller="residual", episodes=1_000_000))
        probe.wait_for(lambda: probe.heard(contract.POLICY_ACTION), "the policy's first action")
        yield opened


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit status and words of nodes with sessions that cannot be: (status, log) by name. All start at once."""
    directory = tmp_path_factory.mktemp("sessions")
    good = fault_session(directory, real_time_factor=1.0)
    sessions: dict[str, tuple[str, dict[str, Any]]] = {
        "unknown task": ("arm_driver", {**good, "task": "usbb"}),
        "unknown key": ("command_mux", {**good, "episode": 3}),
        "wrong type": ("session_manager", {**good, "episodes": "many"}),
        "no camera": ("observation_node", {**good, "cameras": []}),
        "no goal image": ("reward_node", {**good, "goal_image": str(directory / "none.png")}),
        "goal image unnamed": ("reward_node", {**good, "goal_image": None}),
    }
    with private_network():
        running = {name: _start(directory / name, node, session) for name, (node, session) in sessions.items()}
        return {name: _end(process, directory / name) for name, process in running.items()}


def _start(directory: Path, node: str, session: dict[str, Any]) -> subprocess.Popen[bytes]:
    directory.mkdir()
    file = directory / "session.yaml"
    file.write_text(yaml.safe_dump(session))
    return start_node(node, file, directory)


def _end(process: subprocess.Popen[bytes], directory: Path) -> tuple[int, str]:
    try:
        status = process.wait(NODE_TIMEOUT_S)
    finally:
        process.kill()
    return status, "".join(log.read_text() for log in directory.glob("*.log"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown task", ("usbb", "did you mean 'usb'")),
        ("unknown key", ("episode", "episodes")),
        ("wrong type", ("episodes", "many")),
        ("no camera", ("needs a camera",)),
        ("no goal image", ("none.png", "no picture that can be read")),
        ("goal image unnamed", ("needs goal_image",)),
    ],
)
def test_node_ends_with_status_2_and_says_what_to_mend(
    answers: dict[str, tuple[int, str]], name: str, words: tuple[str, ...]
) -> None:
    status, said = answers[name]
    assert status == 2
    assert "Traceback" not in said
    for word in words:
        assert word in said


@pytest.mark.parametrize("damage", ["cut off", "other method", "other version", "manifest", "empty"])
def test_damaged_weights_are_refused_and_the_old_policy_goes_on(stage: Stage, damage: str) -> None:
    probe = stage.probe
    weights: PolicyWeights = probe.heard(contract.POLICY_WEIGHTS)[0]
    bad = PolicyWeights(version=weights.version + 1000, method=weights.method, manifest=weights.manifest)
    bad.manifest = weights.manifest.replace(f'"version": {weights.version}', f'"version": {bad.version}')
    bad.safetensors = weights.safetensors
    if damage == "cut off":
        bad.safetensors = weights.safetensors[:-100]
    elif damage == "other method":
        bad.method = "td3"
    elif damage == "other version":
        bad.version += 1
    elif damage == "manifest":
        bad.manifest = weights.manifest[:-10]
    else:
        bad.safetensors = weights.safetensors[:0]
    refused = stage.log("policy_node").count("are refused")
    now_ns = probe.now_ns()
    probe.say(contract.POLICY_WEIGHTS, bad)
    probe.wait_for(lambda: stage.log("policy_node").count("are refused") > refused, "the refusal in the log")
    refused_ns = probe.now_ns()
    acted = probe.wait_for(lambda: probe.heard(contract.POLICY_ACTION, since_ns=refused_ns + 1), "the old policy")
    assert {msg.version for msg in acted} == {weights.version}
    assert not any(msg.version == bad.version for msg in probe.heard(contract.POLICY_ACTION, since_ns=now_ns))


def test_nan_in_an_observation_moves_nothing_and_is_latched(stage: Stage) -> None:
    """Policy and reward refuse it; the controller's NaN stops at the supervisor.

    The graph is faster than its spoiler: one that is spoilt too late, its tick being over, is ignored, and the next one
    is spoilt.
    """
    probe, spoilt = stage.probe, []

    def spoil() -> bool:
        state = _running(stage)
        seen = _observations(stage, state) if state else []
        if seen and (not spoilt or seen[-1].header.stamp != spoilt[-1][0]):
            bad = type(seen[-1])(episode=seen[-1].episode, phase=seen[-1].phase)
            bad.header.frame_id = seen[-1].header.frame_id
            bad.header.stamp.sec = seen[-1].header.stamp.sec
            bad.header.stamp.nanosec = seen[-1].header.stamp.nanosec + 1  # so that it cannot be taken for the true one
            bad.state.extend([float("nan")] * len(seen[-1].state))
            bad.tcp_in_base = seen[-1].tcp_in_base
            spoilt.append((seen[-1].header.stamp, bad.header.stamp))
            probe.say(contract.OBSERVATION, bad)
        return bool(probe.session.phase == SessionState.FAULT)

    probe.wait_for(spoil, "the session's FAULT")
    probe.wait_for(lambda: "nan" in stage.log("policy_node").lower(), "the policy's refusal")
    answered = [msg.header.stamp for msg in probe.heard(contract.POLICY_ACTION)]
    assert not any(stamp in answered for _, stamp in spoilt)
    probe.wait_for(lambda: probe.trigger(contract.CLEAR_FAULT_SERVICE).success, "clearing")
    probe.wait_for(lambda: probe.safety.state == SafetyState.OK, "an OK of the supervisor")
    probe.wait_for(lambda: probe.trigger(contract.RESUME_SERVICE).success, "resuming")
    resumed = probe.session.episode
    probe.wait_for(lambda: probe.session.episode > resumed or _running(stage), "the next episode")


def _running(stage: Stage) -> SessionState | None:
    state = stage.probe.session
    return state if state.phase == SessionState.RUNNING else None


def _observations(stage: Stage, state: SessionState) -> list[Any]:
    seen = stage.probe.heard(contract.OBSERVATION)
    return [msg for msg in seen if (msg.phase, msg.episode) == (SessionState.RUNNING, state.episode)]
