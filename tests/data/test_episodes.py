from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2.metadata import parse_qos

from tenon.data import episodes
from tenon.data.episodes import (
    BagSummary,
    BagTopic,
    Durability,
    EpisodeContract,
    EpisodeError,
    EpisodeOutcome,
    QosProfile,
    Reliability,
    TopicSpec,
)

text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(number=st.integers(0, 10**9), robot=text, seed=st.integers(0, 2**63), versions=st.dictionaries(text, text))
def test_contract_survives_its_record(number: int, robot: str, seed: int, versions: dict[str, str]) -> None:
    contract = EpisodeContract(number=number, robot=robot, task="null", seed=seed, versions=versions)
    record = episodes.record_from_config(contract)
    assert all(isinstance(value, str) for value in record.values())
    assert episodes.contract_from_record(record) == contract


@given(complete=st.booleans(), detail=text, dropped=st.dictionaries(text, st.integers(0, 99)))
def test_outcome_survives_its_record(complete: bool, detail: str, dropped: dict[str, int]) -> None:
    outcome = EpisodeOutcome(result="fault", complete=complete, detail=detail, dropped=dropped)
    assert episodes.outcome_from_record(episodes.record_from_config(outcome)) == outcome


@pytest.mark.parametrize("record", [{}, {"number": "x"}, {"number": "1", "robot": "a", "task": "b", "other": "c"}])
def test_damaged_record_is_an_episode_error(record: dict[str, str]) -> None:
    with pytest.raises(EpisodeError, match="tenon_contract"):
        episodes.contract_from_record(record)


def test_names_lead_back_to_the_layout(tmp_path: Path) -> None:
    layout = episodes.layout_of(tmp_path, 123)
    assert layout.finished_file == tmp_path / "episode_000123" / "episode_000123_0.mcap"
    assert layout.part_file == tmp_path / "episode_000123.part" / "episode_000123_0.mcap.part"
    for path in (layout.finished, layout.part):
        assert episodes.layout_from_name(path) == layout
    repaired = episodes.layout_from_name(layout.repaired.finished)
    assert repaired is not None and repaired.is_repaired and repaired.number == 123 and repaired.repaired == repaired
    assert episodes.layout_from_name(tmp_path / "episode_12") is None


def test_next_number_is_above_finished_partial_and_repaired_ones(tmp_path: Path) -> None:
    assert episodes.next_number(tmp_path / "none") == 0
    for name in ("episode_000002", "episode_000004.part", "episode_000003_repaired", "episode_x", "notes"):
        (tmp_path / name).mkdir()
    assert episodes.next_number(tmp_path) == 5


def test_qos_is_read_by_rosbags_as_it_was_meant() -> None:
    profile = QosProfile(Reliability.BEST_EFFORT, Durability.TRANSIENT_LOCAL, depth=5)
    (parsed,) = parse_qos(profile.to_yaml())
    assert parsed.reliability == QosReliability.BEST_EFFORT
    assert parsed.durability == QosDurability.TRANSIENT_LOCAL
    assert parsed.depth == 5 and parsed.deadline.sec == 9223372036


def test_bag_metadata_has_the_fields_of_version_8_and_no_aliases() -> None:
    summary = BagSummary("a.mcap", (BagTopic(TopicSpec("/x", "a/msg/X", ""), 3),), 10, 25)
    written = episodes.bag_metadata_yaml(summary, {"robot": "ur5"})
    assert "&id" not in written  # yaml-cpp reads aliases, but people do not
    info = yaml.safe_load(written)["rosbag2_bagfile_information"]
    assert info["version"] == 8
    assert info["duration"] == {"nanoseconds": 15}
    assert info["starting_time"] == {"nanoseconds_since_epoch": 10}
    assert info["message_count"] == info["files"][0]["message_count"] == 3
    assert info["custom_data"] == {"robot": "ur5"}
    assert yaml.safe_load(episodes.bag_metadata_record(summary, {})["serialized_metadata"])["version"] == 8
