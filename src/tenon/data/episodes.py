"""What an episode on disk is: its contract, its outcome, its topics, its names, and rosbag2's description of it.

An episode is a rosbag2 bag directory::

    episode_000123/
        episode_000123_0.mcap    everything: messages, definitions, contract, outcome
        metadata.yaml            what ``ros2 bag`` reads first; made from the file, holds nothing of its own

While it is recorded, and for good if recording did not come to its end, it is ``episode_000123.part/`` with
``episode_000123_0.mcap.part`` inside. ``repair.py`` makes ``episode_000123_repaired/`` from such a one.
"""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import yaml
from pydantic import Field, ValidationError

from tenon.configuration.base import Config, ConfigT

CONTRACT_RECORD = "tenon_contract"
"""Name of the MCAP metadata record that opens an episode."""
OUTCOME_RECORD = "tenon_outcome"
"""Name of the MCAP metadata record that ends an episode. Where it is missing, the recording was cut off."""
ROSBAG2_RECORD = "rosbag2"
"""Name of the MCAP metadata record in which rosbag2 keeps a copy of metadata.yaml."""

PROFILE = "ros2"
SCHEMA_ENCODING = "ros2msg"
MESSAGE_ENCODING = "cdr"

_BAG_METADATA_VERSION = 8
"""The last version with QoS profiles as a string: Humble reads it, and so do all later distributions."""
_STEM = re.compile(r"episode_(?P<number>\d{6,})(?P<repaired>_repaired)?")
_PART = ".part"
_REPAIRED = "_repaired"


class EpisodeError(RuntimeError):
    """An episode that cannot be written or read. The message says what to do."""


class EpisodeTakenError(EpisodeError):
    """The number of an episode that was to be written belongs to another one already."""


class EpisodeContract(Config):
    """What the data of an episode depend on, known when it begins.

    number: of the episode in its directory, from 0, never used twice. session_episode: the number that the
    session gave it. train: its transitions were meant for the trainer. seed: of the episode's random draws. operator:
    who ran the session. configuration_hash: of the configuration, as far as the data depend on it. calibration and
    versions: name -> what identifies it (a hash, a version).
    """

    number: Annotated[int, Field(ge=0)]
    robot: str
    task: str
    session: str = ""
    session_episode: Annotated[int, Field(ge=0)] = 0
    controller: str = ""
    train: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
    operator: str = ""
    configuration_hash: str = ""
    calibration: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


Result = Literal["success", "timeout", "failure", "fault", "stopped", "aborted", "unknown"]
Mark = Literal["", "success", "failure", "discard"]
"""A person's word on an episode; empty without one."""


class TopicAudit(Config):
    """What became of a topic's messages while its episode was recorded.

    published: what its publisher sent between the first and the last one that came, by its numbers; None where these do
    not tell (several publishers, or a middleware without numbers). received: handed to the recorder. written: in file.
    """

    published: Annotated[int, Field(ge=0)] | None = None
    received: Annotated[int, Field(ge=0)]
    written: Annotated[int, Field(ge=0)]


class EpisodeOutcome(Config):
    """How an episode ended.

    result: the first five as in ``tenon_msgs/msg/EpisodeSummary``; "aborted": recording was broken off; "unknown":
    the file was cut off. complete: nothing of the recording is missing; the recorder clears it when it had to drop
    messages, which ``dropped`` counts per topic. detail: name of the fault, or why something is missing.
    mark: a person's word, who: that person; what they discarded is kept, but nobody learns from it.
    audit: per topic, by the recorder, also of those that had to come and did not; empty where there was none.
    """

    result: Result
    complete: bool = True
    detail: str = ""
    dropped: dict[str, int] = Field(default_factory=dict)
    mark: Mark = ""
    who: str = ""
    audit: dict[str, TopicAudit] = Field(default_factory=dict)

    @property
    def discarded(self) -> bool:
        """Whether a person said that nobody shall learn from it."""
        return self.mark == "discard"

    @property
    def broken_off(self) -> bool:
        """Whether it neither came to its end nor was judged by a person: what was shown is half of something."""
        return self.result in ("fault", "stopped", "aborted", "unknown")


class Reliability(enum.IntEnum):
    """Values are those of ``rmw_qos_reliability_policy_t``."""

    RELIABLE = 1
    BEST_EFFORT = 2


class Durability(enum.IntEnum):
    """Values are those of ``rmw_qos_durability_policy_t``."""

    TRANSIENT_LOCAL = 1
    VOLATILE = 2


class History(enum.IntEnum):
    """Values are those of ``rmw_qos_history_policy_t``."""

    KEEP_LAST = 1
    KEEP_ALL = 2


_LIVELINESS_AUTOMATIC = 1
_INFINITE = {"sec": 9223372036, "nsec": 854775807}  # RMW_DURATION_INFINITE


@dataclass(frozen=True, slots=True)
class QosProfile:
    """The quality of service that a topic's publishers offer, for ``ros2 bag play``."""

    reliability: Reliability = Reliability.RELIABLE
    durability: Durability = Durability.VOLATILE
    history: History = History.KEEP_LAST
    depth: int = 10

    def to_yaml(self) -> str:
        """As rosbag2 writes ``offered_qos_profiles`` up to metadata version 8: YAML with numbered policies."""
        profile = {
            "history": int(self.history),
            "depth": self.depth,
            "reliability": int(self.reliability),
            "durability": int(self.durability),
            "deadline": dict(_INFINITE),
            "lifespan": dict(_INFINITE),
            "liveliness": _LIVELINESS_AUTOMATIC,
            "liveliness_lease_duration": dict(_INFINITE),
            "avoid_ros_namespace_conventions": False,
        }
        return str(yaml.safe_dump([profile], sort_keys=False))


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic of an episode.

    type: "pkg/msg/Name". definition: its full ros2msg text (``schemas.full_definition``). offered_qos_profiles:
    YAML (``QosProfile.to_yaml``). type_hash: RIHS01 hash, empty if unknown; readers check it if given.
    """

    name: str
    type: str
    definition: str
    offered_qos_profiles: str = QosProfile().to_yaml()
    type_hash: str = ""


@dataclass(frozen=True, slots=True)
class EpisodeLayout:
    """The names of one episode's files. stem: "episode_000123", with "_repaired" for a repaired one."""

    directory: Path
    stem: str

    @property
    def finished(self) -> Path:
        """The bag directory of the finished episode."""
        return self.directory / self.stem

    @property
    def finished_file(self) -> Path:
        """The MCAP file of the finished episode."""
        return self.finished / f"{self.stem}_0.mcap"

    @property
    def part(self) -> Path:
        """The directory of the episode while it is recorded, or if it was never finished."""
        return self.directory / f"{self.stem}{_PART}"

    @property
    def part_file(self) -> Path:
        """The MCAP file in ``part``."""
        return self.part / f"{self.stem}_0.mcap{_PART}"

    @property
    def number(self) -> int:
        """The episode's number in its directory."""
        match = _STEM.fullmatch(self.stem)
        if match is None:
            raise EpisodeError(f"{self.stem!r} is no name of an episode: 'episode_' and six digits are needed")
        return int(match["number"])

    @property
    def is_repaired(self) -> bool:
        """Whether ``repair.py`` made this one."""
        return self.stem.endswith(_REPAIRED)

    @property
    def original(self) -> EpisodeLayout:
        """Where this episode lies as it was recorded."""
        return EpisodeLayout(self.directory, self.stem.removesuffix(_REPAIRED))

    @property
    def repaired(self) -> EpisodeLayout:
        """Where the repaired form of this episode lies."""
        return EpisodeLayout(self.directory, f"{self.original.stem}{_REPAIRED}")


def layout_of(directory: Path, number: int) -> EpisodeLayout:
    """The names of episode ``number`` in ``directory``."""
    return EpisodeLayout(directory, f"episode_{number:06d}")


def layout_from_name(path: Path) -> EpisodeLayout | None:
    """The layout that a directory's name stands for (finished, repaired or partial); None for any other name."""
    stem = path.name.removesuffix(_PART)
    return EpisodeLayout(path.parent, stem) if _STEM.fullmatch(stem) else None


def is_part(path: Path) -> bool:
    """Whether the directory's name is that of an unfinished episode."""
    return path.name.endswith(_PART)


def next_number(directory: Path) -> int:
    """The number for the next episode: above all that exist in ``directory``, finished or not; 0 for a new one."""
    paths = directory.iterdir() if directory.is_dir() else ()
    layouts = (layout_from_name(path) for path in paths)
    return max((layout.number for layout in layouts if layout is not None), default=-1) + 1


def record_from_config(config: Config) -> dict[str, str]:
    """A configuration as the string map of an MCAP metadata record; values that are no strings become JSON."""
    data = config.model_dump(mode="json")
    return {key: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for key, value in data.items()}


def contract_from_record(record: Mapping[str, str]) -> EpisodeContract:
    """Reads what ``record_from_config`` wrote. Raises EpisodeError."""
    return _config_from_record(EpisodeContract, record, CONTRACT_RECORD)


def outcome_from_record(record: Mapping[str, str]) -> EpisodeOutcome:
    """Reads what ``record_from_config`` wrote. Raises EpisodeError."""
    return _config_from_record(EpisodeOutcome, record, OUTCOME_RECORD)


def _config_from_record(model: type[ConfigT], record: Mapping[str, str], name: str) -> ConfigT:
    data: dict[str, Any] = {}
    try:
        for key, value in record.items():
            field = model.model_fields.get(key)
            is_text = field is None or field.annotation is str or get_origin(field.annotation) is Literal
            data[key] = value if is_text else json.loads(value)
        return model.model_validate(data)
    except (ValueError, ValidationError) as error:
        raise EpisodeError(f"metadata record {name!r} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class BagTopic:
    """A topic of a finished bag, with its number of messages."""

    spec: TopicSpec
    messages: int


@dataclass(frozen=True, slots=True)
class BagSummary:
    """What rosbag2 wants to know of a bag. Times are log times; both 0 without messages."""

    file_name: str
    topics: tuple[BagTopic, ...]
    start_ns: int
    end_ns: int


def bag_metadata_yaml(summary: BagSummary, custom: Mapping[str, str]) -> str:
    """The text of rosbag2's ``metadata.yaml`` (version 8). ``custom`` shows up as custom_data."""
    return str(yaml.safe_dump({"rosbag2_bagfile_information": _bag_information(summary, custom)}, sort_keys=False))


def bag_metadata_record(summary: BagSummary, custom: Mapping[str, str]) -> dict[str, str]:
    """The same as the metadata record inside the MCAP file, by which rosbag2 reads the file without its directory."""
    return {"serialized_metadata": str(yaml.safe_dump(_bag_information(summary, custom), sort_keys=False))}


def _bag_information(summary: BagSummary, custom: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": _BAG_METADATA_VERSION,
        "storage_identifier": "mcap",
        "relative_file_paths": [summary.file_name],
        **_span(summary),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.spec.name,
                    "type": topic.spec.type,
                    "serialization_format": MESSAGE_ENCODING,
                    "offered_qos_profiles": topic.spec.offered_qos_profiles,
                    "type_description_hash": topic.spec.type_hash,
                },
                "message_count": topic.messages,
            }
            for topic in summary.topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "files": [{"path": summary.file_name, **_span(summary)}],
        "custom_data": dict(custom),
        "ros_distro": "tenon",
    }


def _span(summary: BagSummary) -> dict[str, Any]:
    return {
        "duration": {"nanoseconds": summary.end_ns - summary.start_ns},
        "starting_time": {"nanoseconds_since_epoch": summary.start_ns},
        "message_count": sum(topic.messages for topic in summary.topics),
    }


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
