"""Copies an episode into another folder: its messages byte by byte, and with them where they come from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tenon.data import episodes
from tenon.data.edit.contents import EpisodeContents
from tenon.data.edit.provenance import SOURCE_RECORD, Operation, Source, history_record, tool_version
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeError, EpisodeOutcome
from tenon.data.marks import FOLDER as MARKS
from tenon.data.marks import copy_marks
from tenon.data.mcap_check import check_mcap
from tenon.data.mcap_records import RawMessage

_MADE_ANEW = (episodes.CONTRACT_RECORD, episodes.OUTCOME_RECORD, episodes.ROSBAG2_RECORD, SOURCE_RECORD)

Selection = Callable[[str, RawMessage], bool]
"""Whether a message of a topic is copied."""


def copy_episode(
    contents: EpisodeContents,
    directory: Path,
    operation: Operation,
    *,
    number: int | None = None,
    detail: str = "",
    outcome: EpisodeOutcome | None = None,
    selection: Selection | None = None,
) -> Path:
    """Writes a new episode into ``directory``, with what people said of it since, and returns its folder.

    Content, times and order of the messages stay as they are; sequence numbers count from each topic's first message
    that is copied, so that a gap still means a loss. number: in ``directory``, by default the source's own. selection:
    which messages; by default all. Raises EpisodeError, also where the number is taken; nothing is left then.
    """
    source = contents.episode
    contract = source.contract.model_copy(update={"number": source.number if number is None else number})
    writer = EpisodeWriter(directory, contract, contents.topics)
    try:
        _copy_messages(contents, writer, selection)
        for name, record in contents.records:
            if name not in _MADE_ANEW:
                writer.add_record(name, record)
        writer.add_record(SOURCE_RECORD, history_record((*contents.history, _source(contents, operation, detail))))
        copy_marks(source.layout, source.contract, writer.layout)
        made = writer.finish(outcome or source.recorded_outcome)
    except BaseException as error:
        shutil.rmtree(directory / MARKS / writer.layout.stem, ignore_errors=True)
        shutil.rmtree(writer.abort(f"{operation} was broken off: {error}"), ignore_errors=True)
        raise
    if problems := check_mcap(writer.layout.finished_file):
        raise EpisodeError(f"{made} came out wrong, please report this: {'; '.join(problems)}")
    return made


def _copy_messages(contents: EpisodeContents, writer: EpisodeWriter, selection: Selection | None) -> None:
    first: dict[str, int] = {}
    for topic, message in contents.messages():
        if selection is None or selection(topic, message):
            writer.write(
                topic,
                message.data,
                log_time_ns=message.log_time_ns,
                publish_time_ns=message.publish_time_ns,
                sequence=message.sequence - (first.setdefault(topic, message.sequence) if selection else 0),
            )


def _source(contents: EpisodeContents, operation: Operation, detail: str) -> Source:
    path = contents.episode.path
    return Source(
        operation=operation,
        folder=str(path.parent.absolute()),
        episode=path.name,
        sha256=contents.sha256,
        tool=tool_version(),
        detail=detail,
    )
