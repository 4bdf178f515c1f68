"""`tenon dataset contact-sheet`: an episode at a glance, as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import note, write_line
from tenon.cli.dataset_folder import explained, one_episode
from tenon.cli.errors import SUCCESS, CommandError
from tenon.cli.run_directory import session_file_of

if TYPE_CHECKING:
    from tenon.data.contact_sheet import Frame
    from tenon.data.images import Image
    from tenon.data.store import Episode, EpisodeStore
    from tenon.data.transitions import Transition

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
            frames = episode_frames(EpisodeStore(episode.path.parent), episode, self.topic)
            write_png(self.out, contact_sheet(frames, title, config))
        write_line(str(self.out))
        return SUCCESS


def episode_frames(store: EpisodeStore, episode: Episode, topic: str | None) -> list[Frame]:
    """The frames of an episode. Where pictures come from, in this order: ``topic``, the transitions, the simulation.

    Raises CommandError where there are none, and they cannot be drawn.
    """
    transitions = list(store.transitions(episode))
    if topic is None and transitions and transitions[0].next_observation.image is not None:
        pictures = [(step.stamp_ns, step.next_observation.image) for step in transitions]
        return _marked([(stamp, image) for stamp, image in pictures if image is not None], transitions)
    if topic is not None:
        return _marked(list(_of_topic(store, episode, topic)), transitions)
    note("no images in the transitions: drawn anew from the joint angles")
    return _marked(list(_drawn(store, episode)), transitions)


def _marked(pictures: list[tuple[int, Image]], transitions: list[Transition]) -> list[Frame]:
    """A picture carries reward and success of the step that was under way when it was taken."""
    import numpy as np

    from tenon.data.contact_sheet import Frame

    stamps = np.array([step.stamp_ns for step in transitions], np.int64)
    begin = pictures[0][0] if pictures else 0
    frames = []
    for stamp, image in pictures:
        step = transitions[min(int(np.searchsorted(stamps, stamp)), len(stamps) - 1)] if len(stamps) else None
        reward = None if step is None else step.reward
        frames.append(Frame(image, (stamp - begin) / NS_PER_S, reward, step is not None and step.success))
    return frames


def _of_topic(store: EpisodeStore, episode: Episode, topic: str) -> Iterator[tuple[int, Image]]:
    from tenon.data.decode import image_to_array, stamp_to_ns

    topics = {message.topic for message in store.messages(episode) if message.type == IMAGE_TYPE}
    if topic not in topics:
        listed = ", ".join(sorted(topics)) or "none"
        raise CommandError(f"{episode.path}: has no images on {topic}. Topics with images: {listed}")
    for message in store.decoded(episode, [topic]):
        yield stamp_to_ns(message.content.header.stamp), image_to_array(message.content)


def _drawn(store: EpisodeStore, episode: Episode) -> Iterator[tuple[int, Image]]:
    """The stand as the recorded joint angles had it, seen by the overview camera."""
    from tenon.cli.footage import RATE_HZ, Stand, sampled_joints
    from tenon.configuration import ConfigurationError
    from tenon.configuration.arm import ArmConfig
    from tenon.configuration.resolve import ConfigKind, load_named, resolve_session
    from tenon.session.stand import load_stand
    from tenon.simulation.rendering import RenderingError

    contract = episode.contract
    file = session_file_of(episode.path)
    try:
        recorded = file.is_file()
        loaded = load_stand(resolve_session(file) if recorded else resolve_session("sim", {"task": contract.task}))
        arm = loaded.arm if recorded else load_named(ArmConfig, ConfigKind.ARMS, contract.robot)
        stand = Stand(arm, loaded.connector, loaded.task)
        stand.place_socket(contract.seed)
        try:
            for count, posture in enumerate(sampled_joints(store, episode)):
                yield episode.start_ns + round(count * NS_PER_S / RATE_HZ), stand.frame(posture)
        finally:
            stand.close()
    except (ConfigurationError, RenderingError) as error:
        raise CommandError(
            f"{episode.path}: holds no images, and cannot be drawn anew: {error}. Name a topic with images: --topic"
        ) from error
