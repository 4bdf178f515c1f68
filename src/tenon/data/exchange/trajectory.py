"""A recorded episode as arrays over its steps: what every export writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenon.data.edit.contents import read_contents
from tenon.data.edit.output import DatasetError
from tenon.data.edit.provenance import tool_version
from tenon.data.episodes import EpisodeContract
from tenon.data.store import TRANSITION_TOPIC, Episode, EpisodeStore
from tenon.data.transitions import FloatArray, ImageArray, Observation, Transition

_CAMERA_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What all trajectories of a dataset have in common. image: (height, width, channels). goal: entries.

    None: there is none.
    """

    state: int
    action: int
    image: tuple[int, int, int] | None
    goal: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """T steps of one episode, as decoded from its file. sha256: of that file. cameras: its topics of pictures."""

    episode: Episode
    sha256: str
    steps: tuple[Transition, ...]
    cameras: tuple[str, ...] = ()

    @property
    def sizes(self) -> Sizes:
        first = self.steps[0]
        image, goal = first.observation.image, first.next_observation.achieved_goal
        return Sizes(
            state=len(first.observation.state),
            action=len(first.action),
            image=None if image is None else (image.shape[0], image.shape[1], image.shape[2]),
            goal=None if goal is None else len(goal),
        )

    def state(self) -> FloatArray:
        """(T, S)."""
        return np.stack([step.observation.state for step in self.steps])

    def next_state(self) -> FloatArray:
        """(T, S)."""
        return np.stack([step.next_observation.state for step in self.steps])

    def image(self) -> ImageArray:
        """(T, height, width, channels). Only where ``sizes.image`` is given."""
        return np.stack([_image(step.observation) for step in self.steps])

    def next_image(self) -> ImageArray:
        """Like ``image``, of the observations after each step."""
        return np.stack([_image(step.next_observation) for step in self.steps])

    def next_achieved_goal(self) -> FloatArray:
        """(T, G): what each step reached. Only where ``sizes.goal`` is given."""
        goals = [step.next_observation.achieved_goal for step in self.steps]
        return np.stack([goal for goal in goals if goal is not None])

    def action(self) -> FloatArray:
        """(T, A)."""
        return np.stack([step.action for step in self.steps])

    def reward(self) -> NDArray[np.float64]:
        """(T,)."""
        return np.array([step.reward for step in self.steps], np.float64)

    def flag(self, name: str) -> NDArray[np.bool_]:
        """(T,) of terminated, truncated, success (as the reward had it), saturated, human or ended."""
        return np.array([getattr(step, name) for step in self.steps], np.bool_)

    def success(self) -> NDArray[np.bool_]:
        """(T,): as the reward had it, unless a person marked the episode: then the step that their success ended is one
        too, and no step of their failure is."""
        success = self.flag("success")
        if self.episode.outcome.mark == "failure":
            return np.zeros_like(success)
        success[-1] |= self.episode.outcome.mark == "success" and self.steps[-1].ended
        return success

    def stamp_ns(self) -> NDArray[np.int64]:
        """(T,): stamps of the observations after each step."""
        return np.array([step.stamp_ns for step in self.steps], np.int64)

    def is_chained(self) -> bool:
        """Whether each step's next observation is the following step's observation, bit by bit."""
        return all(
            _same(one.next_observation, two.observation) for one, two in zip(self.steps, self.steps[1:], strict=False)
        )

    def provenance(self) -> str:
        """Where it comes from, as JSON: for the metadata of formats that have a place for it."""
        contract, outcome = self.episode.contract, self.episode.outcome
        return json.dumps(
            {
                "tool": tool_version(),
                "folder": str(self.episode.path.parent.absolute()),
                "episode": self.episode.path.name,
                "sha256": self.sha256,
                "contract": contract.model_dump(mode="json"),
                "result": outcome.result,
                "mark": outcome.mark,
                "who": outcome.who,
            },
            sort_keys=True,
        )


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote. notes: what its reader has to know, one line each."""

    path: Path
    episodes: int
    steps: int
    notes: tuple[str, ...] = ()


def read_trajectory(store: EpisodeStore, episode: Episode) -> Trajectory:
    """Raises DatasetError where the transitions make no trajectory, EpisodeError for a damaged file."""
    steps = tuple(store.transitions(episode))
    if not steps:
        raise DatasetError(f"{episode.path}: holds no transitions: leave it out, or record the topic /transition")
    numbers = [step.step for step in steps]
    if numbers != list(range(numbers[0], numbers[0] + len(steps))):
        raise DatasetError(
            f"{episode.path}: its steps have a gap or come out of order: `tenon dataset verify` says where, `tenon "
            f"dataset trim` cuts a part off"
        )
    contents = read_contents(episode)
    cameras = tuple(
        sorted(topic.name for topic in contents.topics if topic.type in _CAMERA_TYPES and episode.counts[topic.name])
    )
    return Trajectory(episode, contents.sha256, steps, cameras)


def left_out(trajectory: Trajectory) -> str:
    """A note on the recorded cameras that no format takes; empty without any."""
    if not trajectory.cameras:
        return ""
    has_none = trajectory.sizes.image is None
    return (
        f"left out: camera topics {', '.join(trajectory.cameras)}: the pictures that are exported are those in the "
        f"transitions{', which hold none here' if has_none else ''}"
    )


def exportable(store: EpisodeStore, leave_out: Callable[[str], None]) -> tuple[Episode, ...]:
    """The finished episodes that are complete, not discarded, and hold transitions.

    ``leave_out`` hears of each other one, and why. Raises DatasetError where none is left.
    """
    listing = store.scan()
    for recording in listing.recording:
        leave_out(f"{recording.path}: is being recorded")
    for partial in listing.partial:
        leave_out(f"{partial.path}: was cut off: `tenon dataset repair {partial.path}`")
    for damaged in listing.damaged:
        leave_out(f"{damaged.layout.finished}: {damaged.problem}")
    chosen = []
    for episode in listing.finished:
        if episode.outcome.discarded:
            leave_out(f"{episode.path}: was discarded by {episode.outcome.who or 'a person'}")
        elif not episode.outcome.complete:
            leave_out(f"{episode.path}: is incomplete: {episode.outcome.detail or 'no reason is given'}")
        elif not episode.counts.get(TRANSITION_TOPIC):
            leave_out(f"{episode.path}: holds no transitions")
        else:
            chosen.append(episode)
    if not chosen:
        raise DatasetError(f"{store.directory}: there is no complete episode with transitions to export")
    return tuple(chosen)


def read_all(store: EpisodeStore, chosen: Sequence[Episode]) -> Iterator[Trajectory]:
    """One after the other, so that one episode is in memory at a time. Raises DatasetError where sizes differ."""
    first: Trajectory | None = None
    for episode in chosen:
        trajectory = read_trajectory(store, episode)
        first = first or trajectory
        if trajectory.sizes != first.sizes:
            raise DatasetError(
                f"{episode.path}: has {trajectory.sizes}, {first.episode.path} has {first.sizes}: one dataset holds "
                f"one size: split them (tenon dataset split --by task)"
            )
        yield trajectory


def text_of(contract: EpisodeContract) -> str:
    """What the task is called in formats that name it."""
    return contract.task or "unnamed"


def _image(observation: Observation) -> ImageArray:
    if observation.image is None:
        raise DatasetError("an observation holds no image, others of its episode do: the camera was lost: trim it off")
    return observation.image


def _same(one: Observation, two: Observation) -> bool:
    pairs: tuple[tuple[Any, Any], ...] = ((one.state, two.state), (one.image, two.image))
    return all(
        left is right or (left is not None and right is not None and left.tobytes() == right.tobytes())
        for left, right in pairs
    )
