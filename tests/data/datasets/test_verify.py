"""Every planted fault is named, with something to do; a sound episode passes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tenon.data.edit.trim import Cut, trim
from tenon.data.edit.verify import EpisodeReport, TopicCounts, verify, verify_episode
from tenon.data.episodes import EpisodeOutcome, QosProfile, Reliability, TopicAudit

from .conftest import CAMERA, JOINTS, TRANSITION, Runs, Sample


def whats(report: EpisodeReport) -> str:
    assert all(problem.remedy for problem in report.problems)
    return "\n".join(problem.what for problem in report.problems)


def shifted(sample: Sample, by_ns: int) -> Sample:
    return dataclasses.replace(sample, log_ns=sample.log_ns + by_ns)


def test_sound_episodes_have_no_problems_and_true_figures(runs: Runs) -> None:
    for number in range(2):
        runs.record("a", number)
    reports = list(verify(runs.root / "a"))
    assert [report.problems for report in reports] == [(), ()]
    assert [report.steps for report in reports] == [10, 10] and reports[0].messages == 10 + 11 + 51
    timings = {timing.topic: timing for timing in reports[0].topics}
    assert timings[JOINTS].rate_hz == pytest.approx(50.0) and timings[CAMERA].rate_hz == pytest.approx(10.0)
    assert timings[CAMERA].largest_gap_s == pytest.approx(0.1)
    assert timings[CAMERA].late_median_s == pytest.approx(0.002) == timings[CAMERA].late_most_s


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_flipped_bit_is_damage_and_the_other_episodes_are_read(runs: Runs, where: float) -> None:
    episodes = [runs.record("a", number) for number in range(2)]
    data = bytearray(episodes[0].file.read_bytes())
    data[int(len(data) * where)] ^= 1
    episodes[0].file.write_bytes(data)
    reports = {report.name: report for report in verify(runs.root / "a")}
    assert "damaged" in whats(reports["episode_000000"]) or "cannot be read" in whats(reports["episode_000000"])
    assert any("tenon dataset repair" in problem.remedy for problem in reports["episode_000000"].problems)
    assert not reports["episode_000001"].problems


def test_cut_off_recording_is_named_until_it_is_repaired(runs: Runs) -> None:
    writer = runs.writer("a", 0)
    for sample in runs.samples(runs.transitions(0, session="a")):
        writer.write(sample.topic, sample.data, log_time_ns=sample.log_ns, publish_time_ns=sample.log_ns)
    writer.abort("power")
    (report,) = verify(runs.root / "a")
    assert "cut off" in whats(report) and "tenon dataset repair" in report.problems[0].remedy


def test_episode_that_is_being_recorded_is_told_and_not_blamed(runs: Runs) -> None:
    writer = runs.writer("a", 0)
    (report,) = verify(runs.root / "a")
    assert (report.name, report.result, report.problems) == ("episode_000000.part", "is being recorded", ())
    writer.abort("power")


def test_dropped_messages_and_incomplete_episodes_are_told(runs: Runs) -> None:
    dropped = EpisodeOutcome(result="success", complete=False, dropped={CAMERA: 7})
    assert f"7 of {CAMERA}" in whats(verify_episode(runs.record("a", 0, outcome=dropped)))
    incomplete = EpisodeOutcome(result="success", complete=False, detail="the session was killed")
    assert "the session was killed" in whats(verify_episode(runs.record("a", 1, outcome=incomplete)))


def test_the_audit_is_held_against_the_file(runs: Runs) -> None:
    count = len([s for s in runs.samples(runs.transitions(0, session="a")) if s.topic == CAMERA])
    audits = {
        "lost on the way": TopicAudit(published=count + 3, received=count, written=count),
        "lost in the file": TopicAudit(published=None, received=count + 2, written=count + 2),
        "in order": TopicAudit(published=count, received=count, written=count),
    }
    found = {}
    for number, (name, audit) in enumerate(audits.items()):
        outcome = EpisodeOutcome(result="success", audit={CAMERA: audit})
        found[name] = verify_episode(runs.record("a", number, outcome=outcome))
    assert f"lost between publisher and recorder: 3 of {count + 3} of {CAMERA}" in whats(found["lost on the way"])
    assert f"{CAMERA}: {count + 2} messages were written, {count} are in the file" in whats(found["lost in the file"])
    assert not found["in order"].problems
    counts = {one.topic: one for one in found["lost on the way"].counts}
    assert counts[CAMERA] == TopicCounts(CAMERA, count + 3, count, count, count)
    assert counts[JOINTS].published is None and counts[JOINTS].read > 0


def test_silent_camera_is_a_gap_with_its_place_and_length(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, 20, session="a"))
    begin = samples[0].log_ns
    lost = [s for s in samples if not (s.topic == CAMERA and 0.45e9 < s.log_ns - begin < 1.25e9)]
    found = whats(verify_episode(runs.record("a", 0, samples=lost)))
    assert f"nothing for 0.9 s, 0.4 s after the beginning: {CAMERA} (10 Hz otherwise)" in found


def test_camera_that_stops_before_the_end_is_a_gap_too(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, 20, session="a"))
    lost = [s for s in samples if not (s.topic == CAMERA and s.log_ns - samples[0].log_ns > 1.15e9)]
    assert f"nothing for 0.9 s, 1.1 s after the beginning: {CAMERA}" in whats(
        verify_episode(runs.record("a", 0, samples=lost))
    )


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_camera_that_dies_within_its_first_frames_is_silent_to_the_end(runs: Runs, frames: int) -> None:
    samples = runs.samples(runs.transitions(0, 20, session="a"))
    camera = [sample for sample in samples if sample.topic == CAMERA]
    dead = [sample for sample in samples if sample not in camera[frames:]]
    found = whats(verify_episode(runs.record("a", 0, samples=dead)))
    assert (
        found == f"silent from {0.1 * (frames - 1):.1f} s after the beginning to the end: {CAMERA} ({frames} messages)"
    )


def test_slow_stream_that_goes_on_is_not_silent(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, 20, session="a"))
    slow = [s for i, s in enumerate(samples) if s.topic != CAMERA or (s.log_ns - samples[0].log_ns) % 600_000_000 == 0]
    assert sum(sample.topic == CAMERA for sample in slow) == 4
    assert not verify_episode(runs.record("a", 0, samples=slow)).problems


def test_what_follows_a_persons_hand_may_stop_at_any_time(runs: Runs) -> None:
    hand = QosProfile(reliability=Reliability.BEST_EFFORT, depth=1).to_yaml()
    runs.topics = [
        dataclasses.replace(topic, offered_qos_profiles=hand) if topic.name == JOINTS else topic
        for topic in runs.topics
    ]
    samples = runs.samples(runs.transitions(0, 20, session="a"))
    for number, until_s in enumerate((-1.0, 0.1, 1.0)):
        stopped = [s for s in samples if s.topic != JOINTS or s.log_ns - samples[0].log_ns < until_s * 1e9]
        assert not verify_episode(runs.record("a", number, samples=stopped, steps=20, session_episode=0)).problems


def test_camera_that_was_dead_from_the_start_is_told(runs: Runs) -> None:
    """By the audit; in a file without one by its topics. A recording of before the audit told of it is not blamed."""
    blind = [s for s in runs.samples(runs.transitions(0, 20, session="a")) if s.topic != CAMERA]
    none, some = TopicAudit(received=0, written=0), {TRANSITION: TopicAudit(received=20, written=20)}
    audits = ({**some, CAMERA: none}, {}, some)
    told = []
    for number, audit in enumerate(audits):
        outcome = EpisodeOutcome(result="success", audit=audit)
        episode = runs.record("a", number, samples=blind, outcome=outcome, session_episode=0)
        told.append(whats(verify_episode(episode)))
    assert told == [f"no message came in 2.0 s: {CAMERA}"] * 2 + [""]


def test_part_that_holds_nothing_is_told_and_no_fault(runs: Runs) -> None:
    runs.writer("a", 0).abort("before the first message")
    (report,) = verify(runs.root / "a")
    assert "may be deleted" in report.result and not report.problems


def test_clock_that_was_set_back_is_seen(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, session="a"))
    half = len(samples) // 2
    stepped = samples[:half] + [shifted(sample, -3_000_000_000) for sample in samples[half:]]
    found = whats(verify_episode(runs.record("a", 0, samples=stepped)))
    assert "time goes backwards: " in found and f"{JOINTS} (1 times)" in found
    assert "recorded up to 3.0 s before the stamp: " in found and JOINTS in found.splitlines()[-1]


def test_pictures_in_the_wrong_order_are_seen(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, session="a"))
    one, two = [i for i, sample in enumerate(samples) if sample.topic == CAMERA][3:5]
    samples[one], samples[two] = (
        dataclasses.replace(samples[one], data=samples[two].data),
        dataclasses.replace(samples[two], data=samples[one].data),
    )
    assert whats(verify_episode(runs.record("a", 0, samples=samples))) == f"time goes backwards: {CAMERA} (1 times)"


def test_late_messages_are_told(runs: Runs) -> None:
    samples = [
        shifted(s, 1_500_000_000) if s.topic == JOINTS else s for s in runs.samples(runs.transitions(0, session="a"))
    ]
    report = verify_episode(runs.record("a", 0, samples=samples))
    assert f"recorded up to 1.5 s after the stamp: {JOINTS}" in whats(report)


def test_one_late_message_is_a_figure_and_no_fault(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, 30, session="a"))
    at = max(i for i, sample in enumerate(samples) if sample.topic == JOINTS)
    samples[at] = shifted(samples[at], 1_500_000_000)
    report = verify_episode(runs.record("a", 0, samples=samples))
    late = {timing.topic: timing.late_most_s for timing in report.topics}[JOINTS]
    assert late == pytest.approx(1.502) and "the stamp" not in whats(report)


def test_missing_steps_wrong_episode_and_early_end_are_told(runs: Runs) -> None:
    steps = runs.transitions(0, session="a")
    holed = runs.record("a", 0, samples=runs.samples([*steps[:4], *steps[6:]]))
    assert "steps are missing: 4, 5" in whats(verify_episode(holed))
    foreign = runs.record("a", 1, samples=runs.samples(runs.transitions(9, session="b")))
    assert "of episode 9 of 'b', its contract says 1 of 'a'" in whats(verify_episode(foreign))
    early = [dataclasses.replace(step, truncated=step.step in (4, 9)) for step in runs.transitions(2, session="a")]
    assert "it ends at step 4, and goes on" in whats(verify_episode(runs.record("a", 2, samples=runs.samples(early))))
    open_end = runs.record("a", 3, samples=runs.samples(runs.transitions(3, session="a")[:-1]))
    assert "its last transition is no end" in whats(verify_episode(open_end))
    failed = runs.samples(runs.transitions(4, success=False, session="a"))
    assert "counts as success, no transition does" in whats(verify_episode(runs.record("a", 4, samples=failed)))


def test_undecodable_message_is_named_and_the_rest_is_read(runs: Runs) -> None:
    samples = runs.samples(runs.transitions(0, session="a"))
    at = next(i for i, sample in enumerate(samples) if sample.topic == JOINTS)
    samples[at] = dataclasses.replace(samples[at], data=samples[at].data[:9])
    report = verify_episode(runs.record("a", 0, samples=samples))
    assert f"{JOINTS} cannot be decoded, message 0" in whats(report) and report.messages == len(samples)


def test_metadata_that_disagrees_with_the_file_is_told(runs: Runs) -> None:
    episode = runs.record("a", 0)
    path = episode.path / "metadata.yaml"
    path.write_text(path.read_text().replace("message_count: 10", "message_count: 9"))
    assert f"{TRANSITION} 9 instead of 10" in whats(verify_episode(episode))
    path.unlink()
    assert "metadata.yaml cannot be read" in whats(verify_episode(episode))


def test_same_episode_twice_is_told(runs: Runs) -> None:
    runs.record("a", 0, session_episode=0)
    runs.record("a", 1, session_episode=0, samples=runs.samples(runs.transitions(0, session="a")))
    reports = list(verify(runs.root / "a"))
    assert not reports[0].problems and "same session as episode_000000" in whats(reports[1])


def test_trimmed_episode_is_not_blamed_for_what_was_cut(runs: Runs, tmp_path: Path) -> None:
    trim(runs.record("a", 0), tmp_path / "cut", Cut(head_steps=3, tail_steps=2))
    (report,) = verify(tmp_path / "cut")
    assert report.problems == () and report.steps == 5
