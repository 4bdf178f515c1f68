"""`tenon dataset contact-sheet`: an episode at a glance, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import tyro

from tenon.cli.console import note, write_line
from tenon.cli.dataset_folder import explained, one_episode
from tenon.cli.errors import SUCCESS, CommandError
from tenon.cli.run_directory import session_file_of

if TYPE_CHECKING:
    from tenon.data.contact_sheet import Footage, Moment
    from tenon.data.images import Image
    from tenon.data.store import DecodedMessage, Episode, EpisodeStore

T = TypeVar("T")

IMAGE_TYPE = "sensor_msgs/msg/Image"
NS_PER_S = 1e9


@dataclass(frozen=True)
class ContactSheet:
    """Write a PNG of an episode's frames with time, reward and success marked.

    Frames are those of --topic, else the learner's own images, else drawn anew from the joint angles (simulation).
    """

    episode: tyro.conf.Positional[Path]
    """Directory of a finished episode (episode_000123)."""
    out: Path
    """The new file, NAME.png."""
    topic: str | None = None
    """A recorded topic of images. Default: the images in the transitions."""
    frames: int = 24
    """How many, at most."""
    columns: int = 6
    tile_width_px: int = 192
    """Width of a frame on the sheet."""

    def run(self) -> int:
        from tenon.configuration import parse
        from tenon.data.contact_sheet import SheetConfig, contact_sheet, write_png
        from tenon.data.store import EpisodeStore

        options = {"frames": self.frames, "columns": self.columns, "tile_width_px": self.tile_width_px}
        config = parse(SheetConfig, options, where="tenon dataset contact-sheet")
        episode = one_episode(self.episode)
        contract = episode.contract
        title = " | ".join(
            filter(
                None, (episode.path.name, contract.task, contract.robot, contract.controller, episode.outcome.result)
            )
        )
        with explained():
            footage = episode_footage(EpisodeStore(episode.path.parent), episode, self.topic)
            write_png(self.out, contact_sheet(footage, title, config))
        write_line(str(self.out))
        return SUCCESS


def episode_footage(store: EpisodeStore, episode: Episode, topic: str | None) -> Footage:
    """The frames of an episode. Where pictures come from, in this order: ``topic``, the transitions, the simulation.

    Raises CommandError where there are none, and they cannot be drawn.
    """
    steps = _steps(store, episode)
    if topic is not None:
        return _TopicFootage(store, episode, topic, steps)
    if any(step.has_image for step in steps):
        return _TransitionFootage(store, episode, steps)
    note("no images in the transitions: drawn anew from the joint angles")
    return _DrawnFootage(store, episode, steps)


@dataclass(frozen=True, slots=True)
class _Step:
    stamp_ns: int
    reward: float
    success: bool
    has_image: bool


def _steps(store: EpisodeStore, episode: Episode) -> list[_Step]:
    """What an episode's transitions say, without their pictures."""
    return [
        _Step(step.stamp_ns, step.reward, step.success, has_image=step.next_observation.image is not None)
        for step in store.transitions(episode)
    ]


def _moments(stamps_ns: Sequence[int], steps: Sequence[_Step]) -> list[Moment]:
    """A picture carries reward and success of the step that was under way when it was taken."""
    import numpy as np

    from tenon.data.contact_sheet import Moment

    ends = np.array([step.stamp_ns for step in steps], np.int64)
    moments = []
    for stamp in stamps_ns:
        step = steps[min(int(np.searchsorted(ends, stamp)), len(ends) - 1)] if len(ends) else None
        reward = None if step is None else step.reward
        moments.append(Moment((stamp - stamps_ns[0]) / NS_PER_S, reward, step is not None and step.success))
    return moments


class _TransitionFootage:
    """The learner's own images: after each step."""

    def __init__(self, store: EpisodeStore, episode: Episode, steps: Sequence[_Step]) -> None:
        self._store, self._episode = store, episode
        self._positions = [position for position, step in enumerate(steps) if step.has_image]
        self.moments = _moments([steps[position].stamp_ns for position in self._positions], steps)

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        positions = [self._positions[number] for number in numbers]
        for transition in _picked(self._store.transitions(self._episode), positions):
            assert transition.next_observation.image is not None  # it had one a moment ago
            yield transition.next_observation.image


class _TopicFootage:
    """The messages of one topic."""

    def __init__(self, store: EpisodeStore, episode: Episode, topic: str, steps: Sequence[_Step]) -> None:
        from tenon.data.decode import stamp_to_ns
        from tenon.data.edit.contents import read_contents

        topics = {found.name for found in read_contents(episode).topics if found.type == IMAGE_TYPE}
        if topic not in topics:
            listed = ", ".join(sorted(topics)) or "none"
            raise CommandError(f"{episode.path}: has no images on {topic}. Topics with images: {listed}")
        self._store, self._episode, self._topic = store, episode, topic
        self.moments = _moments([stamp_to_ns(message.content.header.stamp) for message in self._messages()], steps)

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        from tenon.data.decode import DecodeError, image_to_array

        try:
            for message in _picked(self._messages(), numbers):
                yield image_to_array(message.content)
        except DecodeError as error:
            raise CommandError(f"{self._episode.path}: {self._topic}: {error}") from error

    def _messages(self) -> Iterator[DecodedMessage]:
        return self._store.decoded(self._episode, [self._topic])


class _DrawnFootage:
    """The stand as the recorded joint angles had it, seen by the overview camera."""

    def __init__(self, store: EpisodeStore, episode: Episode, steps: Sequence[_Step]) -> None:
        from tenon.cli.footage import RATE_HZ, sampled_joints

        self._episode = episode
        self._postures = list(sampled_joints(store, episode))
        stamps_ns = [episode.start_ns + round(count * NS_PER_S / RATE_HZ) for count in range(len(self._postures))]
        self.moments = _moments(stamps_ns, steps)

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        from tenon.cli.footage import Stand
        from tenon.configuration import ConfigurationError
        from tenon.configuration.arm import ArmConfig
        from tenon.configuration.resolve import ConfigKind, load_named, resolve_session
        from tenon.session.stand import load_stand
        from tenon.simulation.rendering import RenderingError

        contract = self._episode.contract
        file = session_file_of(self._episode.path)
        try:
            recorded = file.is_file()
            loaded = load_stand(resolve_session(file) if recorded else resolve_session("sim", {"task": contract.task}))
            arm = loaded.arm if recorded else load_named(ArmConfig, ConfigKind.ARMS, contract.robot)
            stand = Stand(arm, loaded.connector, loaded.task)
            stand.place_socket(contract.seed)
            try:
                for number in numbers:
                    yield stand.frame(self._postures[number])
            finally:
                stand.close()
        except (ConfigurationError, RenderingError) as error:
            raise CommandError(
                f"{self._episode.path}: holds no images, and cannot be drawn anew: {error}. Name a topic with images: "
                f"--topic"
            ) from error


def _picked(items: Iterable[T], numbers: Sequence[int]) -> Iterator[T]:
    """Those at the positions ``numbers``, which rise; the rest after the last one is not read."""
    wanted = iter(numbers)
    number = next(wanted, None)
    for position, item in enumerate(items):
        if number is None:
            return
        if position == number:
            yield item
            number = next(wanted, None)
