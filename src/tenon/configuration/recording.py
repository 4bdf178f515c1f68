"""How episodes are recorded: the section ``recording`` of a session's file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from tenon.configuration.base import Config

_MEBIBYTE = 1 << 20

ImageTopic = Annotated[str, Field(pattern=r"^/?[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*$")]


class WriterConfig(Config):
    """How an episode's file is written.

    compression: of chunks; what hardly shrinks (pictures with a camera's noise) is stored as it is. A chunk is written
    once it holds chunk_bytes, or spans chunk_s of recording time: so much is lost of the open episode when the recorder
    is killed. reserve_bytes: of the disk; with less free space no episode is begun, and one that is being recorded is
    ended.
    """

    compression: Literal["zstd", "lz4", "none"] = "zstd"
    chunk_bytes: Annotated[int, Field(ge=4096)] = _MEBIBYTE
    chunk_s: PositiveFloat = 0.5
    reserve_bytes: Annotated[int, Field(ge=0)] = 64 * _MEBIBYTE


class RecorderConfig(WriterConfig):
    """``WriterConfig`` and queue_bytes: how much may wait for the disk before messages are dropped (and counted)."""

    queue_bytes: Annotated[int, Field(ge=_MEBIBYTE)] = 256 * _MEBIBYTE


class RecordingConfig(RecorderConfig):
    """``RecorderConfig`` and images: topics of further cameras, recorded beside all that the graph declares."""

    images: tuple[ImageTopic, ...] = ()
