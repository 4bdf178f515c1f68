"""Where an episode that was made from another one comes from."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from tenon.configuration.base import Config
from tenon.data.episodes import EpisodeError

SOURCE_RECORD = "tenon_source"
"""Name of the MCAP metadata record that tells from what an episode was made."""

_HISTORY = "history"

Operation = Literal["split", "merge", "trim"]


class Source(Config):
    """One step of an episode's history."""

    operation: Operation
    folder: str = Field(description="that the source was in, as an absolute path")
    episode: str = Field(description="the source's name in it")
    sha256: str = Field(description="of the source's MCAP file")
    tool: str = Field(description="what made the copy, with its version")
    detail: str = Field(default="", description="what was done beyond copying")


_HISTORY_TYPE = TypeAdapter(tuple[Source, ...])


def tool_version() -> str:
    """This program, as a source names it."""
    return f"tenon {importlib.metadata.version('tenon')}"


def history_record(history: tuple[Source, ...]) -> dict[str, str]:
    """The history, oldest step first, as an MCAP metadata record."""
    return {_HISTORY: json.dumps([source.model_dump() for source in history], sort_keys=True)}


def history_from_record(record: Mapping[str, str] | None) -> tuple[Source, ...]:
    """Reads what ``history_record`` wrote; empty for None, a recording that was never edited. Raises EpisodeError."""
    if record is None:
        return ()
    try:
        return _HISTORY_TYPE.validate_json(record.get(_HISTORY, ""))
    except ValidationError as error:
        raise EpisodeError(f"metadata record {SOURCE_RECORD!r} cannot be read: {error}") from error
