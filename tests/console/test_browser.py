"""The console in a real browser, against a session that runs: every button does its job, stop above all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from tenon_msgs.msg import SafetyState, SessionState

from tenon.console.web.record_page import NO_HAND
from tenon_graph import contract
from tenon_session.graph import die_with_parent
from tenon_session.introspection import other_nodes
from tenon_session.testing.stage import Stage

PATIENCE_MS = 60_000
HELD_S = 1.5
TWIST_RATE_MIN_HZ = 20.0
GREY_LEVELS = """canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    return new Set(copy.getImageData(0, 0, canvas.width, canvas.height).data.filter((_, i) => i % 4 === 0)).size;
}"""
"""How many there are in the red of what a canvas shows: one where nothing was drawn."""

pytestmark = [pytest.mark.session, pytest.mark.browser, pytest.mark.timeout(1800)]


def press(page: Page, name: str) -> None:
    """Waits until the button can be pressed."""
    page.get_by_role("button", name=name, exact=True).click()


def says(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def phase(stage: Stage, *phases: int) -> None:
    stage.probe.wait_for(lambda: stage.probe.session.phase in phases, f"phase {phases}")


@pytest.fixture(autouse=True)
def quiet(stage: Stage) -> None:
    """Each test finds a session that stands, without a fault."""
    probe = stage.probe

    def stands() -> bool:
        # Asked only where it is needed: a stop that is still under way would end the next run.
        is_fault = probe.safety.state == SafetyState.FAULT
        is_at_rest = probe.session.phase in (SessionState.IDLE, SessionState.FINISHED)
        if not is_at_rest:
            probe.trigger(contract.STOP_SERVICE)
        if is_fault:
            probe.trigger(contract.CLEAR_FAULT_SERVICE)
        return is_at_rest and not is_fault

    probe.wait_for(stands, "the session's end")


def begin(page: Page, stage: Stage) -> None:
    """Begins the configured run and waits for its first step."""
    press(page, "Start")
    phase(stage, SessionState.RUNNING)


def clear(page: Page, stage: Stage) -> None:
    """Presses until it is done: it is refused while commands are still under way."""

    def is_clear() -> bool:
        if stage.probe.safety.state == SafetyState.FAULT:
            press(page, "Clear fault")
        return stage.probe.safety.state != SafetyState.FAULT

    stage.probe.wait_for(is_clear, "the fault's end")


def arm_holds(stage: Stage) -> None:
    stage.probe.wait_for(lambda: stage.probe.last(contract.JOINT_COMMAND).holding, "the arm's holding")


@contextmanager
def hung(stage: Stage, node: str) -> Iterator[None]:
    stage.send(node, signal.SIGSTOP)
    try:
        yield
    finally:
        stage.send(node, signal.SIGCONT)


def test_start_pause_resume_and_stop_do_their_job(page: Page, stage: Stage) -> None:
    begin(page, stage)
    press(page, "Pause")
    phase(stage, SessionState.PAUSED)
    press(page, "Resume")
    phase(stage, SessionState.RESETTING, SessionState.RUNNING)
    page.locator("tenon-stop button").click()
    phase(stage, SessionState.FINISHED)
    arm_holds(stage)
    says(page, "the run is stopped, the arm holds")


def test_cameras_arm_and_topics_are_live(page: Page) -> None:
    picture = page.locator('tenon-picture[camera="camera/image_raw"]')
    page.wait_for_function("Number(document.querySelector('tenon-picture')?.dataset.shown) >= 10", timeout=PATIENCE_MS)
    assert picture.locator("canvas").evaluate(GREY_LEVELS) > 1
    for text in ("shoulder_pan", "joint_states", "safety_supervisor"):
        says(page, text)
    expect(page.locator(".t-alert")).to_have_count(0, timeout=PATIENCE_MS)


def test_stop_works_with_the_trainer_hung_and_the_browser_reloaded(page: Page, stage: Stage) -> None:
    begin(page, stage)
    with hung(stage, "trainer_node"):
        says(page, "trainer_node hangs")
        page.reload(wait_until="commit")
        page.locator("tenon-stop button").click()
        phase(stage, SessionState.FINISHED)
        arm_holds(stage)


def test_stop_works_with_the_session_manager_hung_and_latches_until_cleared(page: Page, stage: Stage) -> None:
    begin(page, stage)
    with hung(stage, "session_manager"):
        says(page, "session_manager hangs")
        page.locator("tenon-stop button").click()
        stage.probe.wait_for(lambda: stage.probe.safety.fault == "operator", "the supervisor's stop")
        arm_holds(stage)
        says(page, "the session manager does not answer")
    # It finds the request to stop as well, and ends the run; the fault stays until a person clears it.
    phase(stage, SessionState.FINISHED)
    assert stage.probe.safety.fault == "operator"
    clear(page, stage)
    begin(page, stage)


@pytest.mark.parametrize("mark", ["Success", "Failure", "Discard"])
def test_operators_mark_ends_the_episode_as_marked(page: Page, stage: Stage, mark: str) -> None:
    stage.probe.listen(contract.EPISODE_SUMMARY)
    before = len(stage.probe.heard(contract.EPISODE_SUMMARY))
    begin(page, stage)
    press(page, mark)
    heard = stage.probe.wait_for(lambda: stage.probe.heard(contract.EPISODE_SUMMARY)[before:], "the episode's end")
    assert heard[0].mark == mark.lower(), f"it ended otherwise: {heard[0].outcome} {heard[0].detail}"


def test_a_run_of_ones_own_is_begun_by_its_dialog(page: Page, stage: Stage) -> None:
    page.get_by_role("button", name="Start…").click()
    page.get_by_label("seed of the first episode").fill("42")
    press(page, "Begin")
    phase(stage, SessionState.RUNNING)
    assert stage.probe.session.seed == 42
    assert not stage.probe.session.train


def test_run_that_the_session_refuses_is_not_said_to_have_started(page: Page, stage: Stage) -> None:
    page.get_by_role("button", name="Start…").click()
    page.get_by_label("controller").click()
    page.get_by_role("option", name="gait").click()
    press(page, "Begin")
    says(page, "cannot act in this task: choose one of")
    assert stage.probe.session.phase in (SessionState.IDLE, SessionState.FINISHED)


def test_stop_can_be_pressed_while_a_dialog_is_open(page: Page, stage: Stage) -> None:
    page.get_by_role("button", name="Start…").click()
    expect(page.get_by_label("seed of the first episode")).to_be_visible(timeout=PATIENCE_MS)
    stage.probe.trigger(contract.START_SERVICE)
    phase(stage, SessionState.RUNNING)
    page.locator("tenon-stop button").click(timeout=PATIENCE_MS)
    phase(stage, SessionState.FINISHED)
    arm_holds(stage)
    expect(page.get_by_label("seed of the first episode")).to_be_visible(timeout=PATIENCE_MS)


def test_every_page_has_the_stop_button_in_sight(page: Page, address: str) -> None:
    for path, text in {
        "/": "Cameras",
        "/record": "Drive the tool",
        "/label": "Choose recordings",
        "/datasets": "Recordings below",
        "/checkpoints": "The trainer that runs",
    }.items():
        page.goto(address + path)
        says(page, text)
        expect(page.locator("tenon-stop button")).to_be_in_viewport()


def test_on_screen_control_speaks_only_while_it_is_held_and_moves_the_arm(
    page: Page, stage: Stage, address: str
) -> None:
    stage.probe.listen(contract.TELEOP_TWIST)
    page.goto(f"{address}/record")
    says(page, NO_HAND)
    expect(page.locator("[inert] > tenon-drive")).to_have_count(1)
    expect(page.get_by_role("button", name="Hand back")).to_be_disabled()
    with teleop_node(stage):
        begin(page, stage)
        expect(page.locator("[inert] > tenon-drive")).to_have_count(0, timeout=PATIENCE_MS)
        for name, arrow in {"+x": "upward", "−x": "downward", "+y": "back", "−y": "forward"}.items():
            expect(page.locator(f'tenon-drive button[title="{name}"] i')).to_have_text(f"arrow_{arrow}")
        key = page.get_by_role("button", name="+z").bounding_box()
        assert key is not None
        page.mouse.move(key["x"] + key["width"] / 2, key["y"] + key["height"] / 2)
        page.mouse.down()
        stage.probe.wait_for(lambda: stage.probe.last(contract.TELEOP_TWIST), "the first twist")
        began, began_s = len(stage.probe.heard(contract.TELEOP_TWIST)), time.monotonic()
        stage.probe.wait_for(lambda: stage.probe.last(contract.COMMAND_REFERENCE).source == "teleop", "the hand's turn")
        page.wait_for_timeout(1000 * HELD_S)
        held_s = time.monotonic() - began_s
        page.mouse.up()
        twists = stage.probe.heard(contract.TELEOP_TWIST)[began:]
        assert len(twists) / held_s >= TWIST_RATE_MIN_HZ
        assert all(twist.twist.linear.z > 0.0 and twist.twist.linear.x == 0.0 for twist in twists)
        page.wait_for_timeout(200)
        after = len(stage.probe.heard(contract.TELEOP_TWIST))
        page.wait_for_timeout(1000 * HELD_S)
        assert len(stage.probe.heard(contract.TELEOP_TWIST)) == after
        assert stage.probe.last(contract.COMMAND_REFERENCE).source == "teleop", "whoever pauses keeps the arm"
        press(page, "Hand back")
        stage.probe.wait_for(lambda: stage.probe.last(contract.COMMAND_REFERENCE).source == "residual", "its own turn")


@contextmanager
def teleop_node(stage: Stage) -> Iterator[None]:
    """Beside the session, which was started without one."""
    stage.probe.listen(contract.COMMAND_REFERENCE)
    session = stage.run_directory.parent / "session.yaml"
    parameters = ("-p", f"session:={session}", "-p", "use_sim_time:=true")
    command = (sys.executable, "-m", "tenon_session.teleop_node", "--ros-args", *parameters)
    with (stage.log_directory / "teleop_node.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent())
    try:
        stage.probe.wait_for(lambda: "/teleop_node" in other_nodes(stage.probe), "the teleop node")
        yield
    finally:
        process.terminate()
        process.wait()


def test_checkpoint_is_written_when_it_is_asked_for(page: Page, stage: Stage, address: str) -> None:
    page.goto(f"{address}/checkpoints")
    press(page, "Write a checkpoint now")
    says(page, "is written")
    expect(page.locator(".q-table tbody tr").first).to_be_visible()


def record(page: Page, stage: Stage, *, steps: int) -> None:
    """One more finished episode, of so many steps at least."""
    stage.probe.listen(contract.TRANSITION)
    recorded = len(list(stage.run_directory.glob("episodes/episode_??????")))
    begin(page, stage)
    heard = len(stage.probe.heard(contract.TRANSITION))
    stage.probe.wait_for(lambda: len(stage.probe.heard(contract.TRANSITION)) >= heard + steps, "some steps")
    press(page, "Success")
    stage.probe.wait_for(
        lambda: len(list(stage.run_directory.glob("episodes/episode_??????"))) > recorded, "the episode's file"
    )
    stage.probe.trigger(contract.STOP_SERVICE)


def test_recordings_are_verified_and_an_episode_is_labelled(page: Page, stage: Stage, address: str) -> None:
    record(page, stage, steps=6)
    page.goto(f"{address}/datasets")
    page.locator(".q-table tbody tr").first.click()
    press(page, "Verify")
    says(page, "messages read")
    press(page, "Label")
    page.wait_for_url(re.compile(r"/label\?folder="))
    page.locator(".q-table tbody tr").last.click()  # the others may be shorter
    says(page, "frame 0 of")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    says(page, "frame 3 of")
    press(page, "Success from here on")
    press(page, "Save")
    says(page, "done at 3")
    assert list(stage.run_directory.glob("episodes/labels/*/000001.json"))


def test_lost_node_is_named_and_the_loss_of_all_is_survived(page: Page, stage: Stage, address: str) -> None:
    begin(page, stage)
    stage.kill("reward_node")
    says(page, "reward_node is gone")
    stage.kill_all()
    says(page, "No session runs on this domain")
    page.goto(f"{address}/datasets")
    says(page, "Recordings below")
    page.locator("tenon-stop button").click()
    says(page, "use the arm's own emergency stop")
