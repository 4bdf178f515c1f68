"""`tenon label` as typed: marks by keys in a terminal and without one, disagreements, thresholds, data for training."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_sockets import draw_domains

from tenon.cli import label_terminal
from tenon.cli.label_terminal import Deed, half_blocks, press, screen
from tenon.cli.main import main
from tenon.console.labelling import EpisodeLabelling
from tenon.data.domains import labelled_images
from tenon.data.encode import MessageEncoder, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.labels import Labels, LabelStore, load_frames
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import EpisodeStore, read_episode
from tenon.data.transitions import Observation, Transition
from tenon.networks.bottleneck import BottleneckConfig
from tenon.rewards.daib import ClassifierConfig, RewardClassifier, train_classifier
from tenon.rewards.labelling import Proposal

ROOT = Path(__file__).parents[2]
SHARE = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
TRANSITION = "tenon_msgs/msg/Transition"
STEPS, EPISODES, PERIOD_NS = 10, 4, 100_000_000
TIMEOUT_S = 240.0
DRAWN = draw_domains(1, EPISODES, seed=3)
"""The plug goes in in every second episode."""


def record(run: Path, number: int, session: str = "monday", outcome: EpisodeOutcome | None = None) -> Path:
    """An episode of drawn pictures, with a reward that never pays."""
    topics = [TopicSpec("/transition", TRANSITION, full_definition(TRANSITION, SHARE))]
    encode = MessageEncoder(topics[0])
    contract = EpisodeContract(number=number, robot="sim", task="usb", session=session, session_episode=number)
    writer = EpisodeWriter(run / "episodes", contract, topics)
    pictures = DRAWN.image[DRAWN.episode == number % EPISODES]
    for step in range(STEPS):
        seen = [
            Observation(np.zeros(3, np.float32), picture) for picture in (pictures[max(0, step - 1)], pictures[step])
        ]
        made = Transition(
            session, number, step, seen[0], np.zeros(2, np.float32), 0.0, seen[1],
            terminated=False, truncated=step == STEPS - 1, stamp_ns=(step + 1) * PERIOD_NS,
        )  # fmt: skip
        writer.write("/transition", encode(transition_fields(made, train=True)), log_time_ns=step, publish_time_ns=step)
    return writer.finish(outcome or EpisodeOutcome(result="timeout"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for number in range(EPISODES):
        record(tmp_path / "run", number)
    return tmp_path / "run"


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has hardly learnt anything."""
    sizes = {"channels": (2, 2, 2), "specific_channels": (2, 2, 2), "dense_size": 4}
    bottleneck = BottleneckConfig(kernels_px=(7, 3, 3), strides_px=(3, 2, 2), **sizes)
    config = ClassifierConfig(bottleneck=bottleneck, steps=3, batch_size=8)
    folder = tmp_path_factory.mktemp("classifier") / "daib"
    train_classifier(draw_domains(4, 4, seed=0), config, seed=0).save(folder)
    return folder


def newest(run: Path, number: int) -> Labels | None:
    return LabelStore(run / "episodes").latest(read_episode(run / f"episodes/episode_{number:06d}"))


def label_all(run: Path) -> None:
    """As a person would who sees the drawings."""
    for number in range(EPISODES):
        success = DRAWN.label[DRAWN.episode == number]
        marks = [str(frame) for frame in np.flatnonzero(np.diff(success, prepend=False))]
        where = str(run / f"episodes/episode_{number:06d}")
        assert main(["label", "set", where, *(["--marks", *marks] if marks else []), "--by", "ana"]) == 0


def test_labels_are_set_and_listed_without_a_terminal(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(run / "episodes/episode_000001")
    assert main(["label", "set", where, "--marks", "4", "7", "--by", "ana", "--note", "bounced"]) == 0
    assert "version 1, 3 of 10 done" in capsys.readouterr().out
    assert main(["label", "set", where, "--by", "ben"]) == 0
    labels = newest(run, 1)
    assert labels is not None and (labels.version, labels.marks, labels.by) == (2, (), "ben")
    assert main(["label", "show", str(run), "--history"]) == 0
    shown = capsys.readouterr().out
    assert "4, 7" in shown and "ana" in shown and "bounced" in shown and "never" in shown
    assert main(["label", "set", where, "--marks", "99"]) == 1
    assert "frames 0 to 9" in capsys.readouterr().err


def test_labels_of_other_frames_count_as_none_in_a_terminal(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = read_episode(run / "episodes/episode_000001")
    LabelStore(run / "episodes").save(episode, STEPS + 2, (11,), by="ada", at=datetime.now(UTC), seen_version=0)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    shown: list[str] = []
    monkeypatch.setattr(label_terminal, "raw_terminal", lambda: nullcontext(lambda: "x"))
    monkeypatch.setattr(label_terminal, "press", lambda *_: Deed.SKIP)
    monkeypatch.setattr(label_terminal, "show", lambda _, title: shown.append(title))
    assert main(["label", "mark", str(run)]) == 0
    assert [title.split(",")[0] for title in shown] == [f"episode_{number:06d}" for number in range(EPISODES)]
    assert "as recorded: ada labelled other frames" in shown[1]
    domain = ["label", "domain", str(run), str(run / "data"), "--name", "usb", "--series", "usb", "--mount", "wrist"]
    assert main(domain) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "left out, its labels are of other frames" in said and "has no labelled episode" in said
    assert main(["label", "show", str(run)]) == 0
    assert "11 (of other frames)" in " ".join(capsys.readouterr().out.split())


def test_keys_need_a_terminal_and_say_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "mark", str(run)]) == 2
    assert "tenon label set" in capsys.readouterr().err


@pytest.fixture
def labelling(run: Path) -> EpisodeLabelling:
    made = EpisodeLabelling(load_frames(read_episode(run / "episodes/episode_000000")), None)
    success = np.arange(STEPS) >= 6
    logit = np.where(success, 3.0, -3.0).astype(np.float32)
    made.proposal = Proposal(logit, 1.0 / (1.0 + np.exp(-logit.astype(np.float64))), success, "3f2a")
    return made


def typed(labelling: EpisodeLabelling, keys: str) -> Deed:
    deed = Deed.NONE
    for key in keys:
        deed = press(labelling, key)
    return deed


@pytest.mark.parametrize(
    ("keys", "frame", "marks"),
    [
        ("lll ", 3, {3}),
        ("Gh", STEPS - 2, set()),
        ("jkk", 0, set()),
        ("llltllt", 5, {3, 5}),
        ("ll n", 2, set()),
        ("a", 0, {6}),
        ("d", 6, set()),
        ("Gd", 6, set()),
        ("ad", 0, {6}),
    ],
)
def test_each_key_does_its_deed(labelling: EpisodeLabelling, keys: str, frame: int, marks: set[int]) -> None:
    assert typed(labelling, keys) is Deed.NONE
    assert (labelling.frame, labelling.marks) == (frame, marks)


@pytest.mark.parametrize(("key", "deed"), [("\r", Deed.KEEP), ("x", Deed.SKIP), ("b", Deed.BACK), ("q", Deed.QUIT)])
def test_keys_that_leave_the_episode_change_nothing(labelling: EpisodeLabelling, key: str, deed: Deed) -> None:
    assert typed(labelling, key) is deed and labelling.marks == set()


def test_the_screen_shows_frame_marks_and_proposal_within_the_terminal(labelling: EpisodeLabelling) -> None:
    typed(labelling, "lllllll ")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen(labelling, "episode 0", 80, 30)).split("\r\n")
    assert len(lines) <= 30 and max(map(len, lines)) <= 80
    assert "frame 7 of 0 to 9" in lines[1] and "DONE" in lines[1] and "marks: 7" in lines[1] and "95.3%" in lines[1]
    assert "label .......[#]##" in lines and "proposal ......#[#]##" in lines


def test_half_blocks_are_the_pixels_of_the_picture() -> None:
    image = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    cells = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m\u2580", half_blocks(image, 3))
    rebuilt = np.array(cells, dtype=np.uint8).reshape(2, 3, 2, 3).transpose(0, 2, 1, 3).reshape(4, 3, 3)
    assert np.array_equal(rebuilt, image)


def test_a_person_labels_two_episodes_by_keys_and_leaves_the_rest(run: Path) -> None:
    """Arrow right four times, done from there, keep; never done, keep; end."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tenon.cli.main", "label", "mark", str(run), "--by", "ana"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, close_fds=True) as process:
        os.close(slave)
        seen = ""
        for what, keys in (
            ("episode_000000", "\x1b[C" * 4 + " \r"),
            ("episode_000001", "n\r"),
            ("episode_000002", "q"),
        ):
            seen = wait_for(master, what, seen)
            os.write(master, keys.encode())
        drain(master, process)
        assert process.returncode == 0, process.stderr and process.stderr.read()
    os.close(master)
    first, second = newest(run, 0), newest(run, 1)
    assert first is not None and first.marks == (4,) and first.by == "ana" and first.source == "person"
    assert second is not None and second.marks == () and newest(run, 2) is None


def wait_for(descriptor: int, what: str, seen: str) -> str:
    deadline_s = time.monotonic() + TIMEOUT_S
    while what not in seen:
        assert time.monotonic() < deadline_s, f"{what} did not come: {seen[-500:]}"
        if select.select([descriptor], [], [], 0.2)[0]:
            seen += os.read(descriptor, 65536).decode(errors="replace")
    return seen


def drain(descriptor: int, process: subprocess.Popen[bytes]) -> None:
    """Reads on until the process has ended: a full terminal would hold it up."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if select.select([descriptor], [], [], 0.2)[0]:
            try:
                os.read(descriptor, 65536)
            except OSError:  # The other end is closed.
                break
    process.wait(TIMEOUT_S)


def test_where_label_and_classifier_differ_is_listed_the_surest_first(
    run: Path, classifier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label_all(run)
    capsys.readouterr()
    assert main(["label", "show", str(run), "--classifier", str(classifier)]) == 0
    shown = capsys.readouterr().out
    assert "the surest first" in shown
    rows = [line for line in shown.splitlines() if "episode_" in line]
    assert rows and all("ana" in row for row in rows), "a classifier that has learnt nothing differs somewhere"


def test_a_threshold_is_chosen_on_labels_and_drawn(
    run: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate = ["label", "calibrate", str(classifier), str(run)]
    assert main([*calibrate, "--out", str(tmp_path / "new")]) == 2
    assert "none of its 4 whole episodes is labelled" in capsys.readouterr().err
    label_all(run)
    out, picture = tmp_path / "new", tmp_path / "curve.png"
    assert main([*calibrate, "--out", str(out), "--picture", str(picture), "--threshold", "0.4"]) == 0
    assert "p_on 0.4000: precision" in capsys.readouterr().err
    changed, before = RewardClassifier.load(out), RewardClassifier.load(classifier)
    assert changed.calibration.threshold == pytest.approx(0.4) and changed.version != before.version
    assert changed.calibration.series == ("run",) and changed.calibration.frames == EPISODES * STEPS
    assert cv2.imread(str(picture)).shape == (400, 900, 3)
    assert main([*calibrate, "--out", str(out)]) == 2, "a classifier is never written over"


@pytest.fixture
def days(tmp_path: Path) -> dict[str, Path]:
    """Labelled runs of three sessions."""
    runs = {session: tmp_path / session for session in ("monday", "tuesday", "friday")}
    for session, folder in runs.items():
        for number in range(EPISODES):
            record(folder, number, session)
        label_all(folder)
    return runs


def test_what_a_classifier_was_trained_on_does_not_choose_its_threshold(
    days: dict[str, Path], classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The episodes are known again, though training had copies of them under other names. One series is held out."""
    data, trained = tmp_path / "data", tmp_path / "trained"
    for session, folder in days.items():
        about = ["--name", f"copy-{session}", "--series", session, "--mount", "wrist"]
        assert main(["label", "domain", str(folder), str(data), *about]) == 0
    known = RewardClassifier.load(classifier).config
    thirds = known.calibration.model_copy(update={"folds": 3})
    config = known.model_copy(update={"members": 1, "calibration": thirds})
    train_classifier(labelled_images(data), config, seed=0).save(trained)
    learnt = RewardClassifier.load(trained).trained_on
    assert learnt is not None and len(learnt) == 2 * EPISODES
    seen, other = sorted({one.session for one in learnt})
    (unseen,) = set(days) - {seen, other}

    def calibrate(session: str, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        picture = str(tmp_path / f"{session}{len(options)}.png")
        status = main(["label", "calibrate", str(trained), str(days[session]), "--picture", picture, *options])
        return status, " ".join(capsys.readouterr().err.split())

    assert calibrate(unseen)[0] == 0
    status, said = calibrate(seen)
    assert status == 1 and f"was trained on 4 of these episodes (session and number: {seen} 0, {seen} 1" in said
    assert "--allow-trained-on" in said
    status, said = calibrate(seen, "--allow-trained-on")
    assert status == 0 and "worse than the figures say" in said


def test_classifier_that_does_not_say_what_it_was_trained_on_is_calibrated_with_a_warning(
    run: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label_all(run)
    assert RewardClassifier.load(classifier).trained_on is None
    assert main(["label", "calibrate", str(classifier), str(run), "--picture", str(tmp_path / "a.png")]) == 0
    assert "does not say what it was trained on" in " ".join(capsys.readouterr().err.split())


def test_discarded_episodes_do_not_choose_a_threshold(run: Path, classifier: Path, tmp_path: Path) -> None:
    record(run, EPISODES, outcome=EpisodeOutcome(result="stopped", mark="discard", who="ana"))
    label_all(run)
    assert main(["label", "set", str(run / f"episodes/episode_{EPISODES:06d}"), "--by", "ana"]) == 0
    assert main(["label", "calibrate", str(classifier), str(run), "--out", str(tmp_path / "new")]) == 0
    assert RewardClassifier.load(tmp_path / "new").calibration.frames == EPISODES * STEPS


def test_labelled_episodes_become_a_connector_that_classifiers_train_on(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    domain = ["--name", "mine", "--series", "mine", "--mount", "wrist"]
    assert main(["label", "domain", str(run), str(data), *domain]) == 2
    label_all(run)
    assert main(["label", "domain", str(run), str(data), *domain]) == 0
    assert "4 episodes with 40 labelled frames" in capsys.readouterr().err
    pictures = labelled_images(data)
    assert pictures.names == ("mine",) and np.array_equal(pictures.label, DRAWN.label)
    assert np.array_equal(pictures.image, DRAWN.image)
    assert len(EpisodeStore(data / "mine").episodes()) == EPISODES
    assert main(["label", "domain", str(run), str(data), *domain]) == 1, "a connector is never written over"


@pytest.mark.parametrize(("option", "value"), [("--name", "lab/usb"), ("--series", ""), ("--mount", "")])
def test_connector_that_cannot_be_listed_is_refused_before_anything_is_copied(
    run: Path, tmp_path: Path, option: str, value: str
) -> None:
    label_all(run)
    given = {"--name": "mine", "--series": "mine", "--mount": "wrist", option: value}
    data = tmp_path / "data"
    assert main(["label", "domain", str(run), str(data), *(word for pair in given.items() for word in pair)]) == 2
    assert not data.exists()
