"""Scripted data of connectors: the same every time, whole after a kill, and with both classes in them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tenon.cli.collect import recorded_topics
from tenon.data.domains import labelled_images, read_domains, read_index, read_task
from tenon.data.mapped_array import StorageError
from tenon.data.store import EpisodeStore
from tenon.environments.collection import (
    CollectionConfig,
    CollectionSetup,
    DomainPlan,
    collect_domain,
    episode_seed,
    load_collection,
    play_episode,
    starts_seated,
)
from tenon.environments.collection_processes import Collection, CollectionObserver, collect
from tenon.environments.family_plans import family_plans
from tenon.environments.insertion import make_insertion

CONNECTORS = ("usb_a_01", "waterproof_02")
DEADLINE_S = 120.0


def plan(name: str = CONNECTORS[0]) -> DomainPlan:
    return next(plan for plan in family_plans("fifty") if plan.name == name)


def setup(episodes: int = 3, **changes: object) -> CollectionSetup:
    return load_collection(CollectionConfig(episodes=episodes, **changes), recorded_topics())  # type: ignore[arg-type]


def recordings(folder: Path) -> dict[str, bytes]:
    """Every recorded file by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/episode_*/*"))}


def test_episode_follows_from_seed_connector_and_number_alone(tmp_path: Path) -> None:
    told: list[int] = []
    collect_domain(tmp_path / "a", plan(), setup(), told.append)
    assert told == [0, 2, 1], "near starts come first, then far ones"
    # More episodes, in another process' order, change none of the first.
    collect_domain(tmp_path / "b", plan(), setup(episodes=1), told.append)
    collect_domain(tmp_path / "b", plan(), setup(), told.append)
    assert recordings(tmp_path / "a") == recordings(tmp_path / "b")
    assert len({episode_seed(CollectionConfig(seed=s), n, e) for s in (0, 1) for n in "ab" for e in (0, 1)}) == 8


def test_recorded_episodes_are_those_of_the_script(tmp_path: Path) -> None:
    made = setup(episodes=2)
    collect_domain(tmp_path, plan(), made, lambda _: None)
    store = EpisodeStore(tmp_path / plan().name)
    for episode, task in zip(store.episodes(), ("job-near", "job-far"), strict=True):
        assert (episode.contract.task, episode.contract.train) == (task, True)
        assert episode.counts == {"/transition": 20, "/session/episode": 1}
        recorded = list(store.transitions(episode))
        assert [t.truncated for t in recorded] == [False] * 19 + [True] and not any(t.terminated for t in recorded)
        assert [t.reward for t in recorded] == [float(t.success) for t in recorded]
        for one, following in itertools.pairwise(recorded):
            after, before = one.next_observation.image, following.observation.image
            assert after is not None and before is not None and np.array_equal(after, before)
        assert np.diff([t.stamp_ns for t in recorded]).tolist() == [100_000_000] * 19
        summary = next(iter(store.decoded(episode, ["/session/episode"]))).content
        assert summary.total_reward == sum(t.reward for t in recorded) and summary.seed == episode.contract.seed


def test_collection_notes_domain_and_task_once_all_episodes_are_there(tmp_path: Path) -> None:
    done: list[str] = []

    class Observer(CollectionObserver):
        def on_episode(self, plan: DomainPlan, episode: int) -> None:
            assert not (tmp_path / "domains.json").exists() or plan.name not in read_index(tmp_path).domains

        def on_done(self, plan: DomainPlan, cpu_s: float) -> None:
            done.append(plan.name)

    plans, made = [plan(name) for name in CONNECTORS], setup(episodes=3)
    collect(Collection(tmp_path, made), plans, 2, Observer())
    assert sorted(done) == sorted(CONNECTORS)
    assert dict(read_index(tmp_path).domains) == {p.name: p.domain for p in plans}
    steps = list(read_domains(tmp_path, read_task(tmp_path)))
    assert len(steps) == 2 * 3 * 20 and {step.session for step in steps} == set(CONNECTORS)
    # Places in the labels are true: a plug that is in is at the socket, whatever the goal's error.
    data = labelled_images(tmp_path)
    assert starts_seated(made.config, 2) and data.label.any()
    assert np.abs(data.offset_m[data.label]).max() < 0.002


def test_collector_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    episodes = 8
    command = [
        *(sys.executable, "-m", "tenon.cli.main", "collect", "--out", str(tmp_path / "killed"), "--jobs", "1"),
        *("--connector", CONNECTORS[0], "--episodes-per-connector", str(episodes)),
    ]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "killed" / CONNECTORS[0]
    while not (folder / "episode_000002").exists():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE_S)
    kept = recordings(tmp_path / "killed")
    finished = {name: data for name, data in kept.items() if ".part" not in name}
    assert not (tmp_path / "killed" / "domains.json").exists() and len(finished) < 2 * episodes
    again = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert again.returncode == 0, again.stderr
    after = recordings(tmp_path / "killed")
    assert {name: after[name] for name in finished} == finished
    collect_domain(tmp_path / "whole", plan(), setup(episodes=episodes), lambda _: None)
    assert after == recordings(tmp_path / "whole")
    assert read_index(tmp_path / "killed").names() == [CONNECTORS[0]]


def test_unfinished_episode_of_a_killed_collection_comes_again(tmp_path: Path) -> None:
    part = tmp_path / plan().name / "episode_000000.part"
    part.mkdir(parents=True)
    (part / "episode_000000_0.mcap.part").write_bytes(b"cut off")
    collect_domain(tmp_path, plan(), setup(episodes=1), lambda _: None)
    assert not part.exists() and len(EpisodeStore(tmp_path / plan().name).episodes()) == 1


@pytest.mark.parametrize("changes", [{"seed": 1}, {"tasks": ("job-far", "job-near")}, {"seated_every": 3}])
def test_episodes_that_were_collected_otherwise_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    collect_domain(tmp_path, plan(), setup(episodes=1), lambda _: None)
    before = recordings(tmp_path)
    with pytest.raises(StorageError, match="collect into a new folder"):
        collect_domain(tmp_path, plan(), setup(episodes=2, **changes), lambda _: None)
    assert recordings(tmp_path) == before


def test_failed_connector_is_told_and_the_others_are_collected(tmp_path: Path) -> None:
    (tmp_path / CONNECTORS[0] / "episode_000000").mkdir(parents=True)
    failed: dict[str, str] = {}

    class Observer(CollectionObserver):
        def on_failed(self, plan: DomainPlan, reason: str) -> None:
            failed[plan.name] = reason

    collect(Collection(tmp_path, setup(episodes=1)), [plan(name) for name in CONNECTORS], 1, Observer())
    assert list(failed) == [CONNECTORS[0]] and "episode_000000" in failed[CONNECTORS[0]]
    assert read_index(tmp_path).names() == [CONNECTORS[1]]


@pytest.mark.parametrize("connector", CONNECTORS)
def test_script_gives_both_classes(connector: str) -> None:
    """Stated in docs: 0.3 to 0.65 of the pictures of a connector are successes; most episodes hold both."""
    config, labels = CollectionConfig(), []
    env = make_insertion("ur5", "job-near", connector=connector)
    for episode in range(16):
        seed, seated = episode_seed(config, connector, episode), episode % 2 == 1
        played = play_episode(env, config.script, session=connector, episode=episode, seed=seed, seated=seated)
        labels.append([transition.success for transition in played.transitions])
        actions = np.array([transition.action for transition in played.transitions])
        assert np.abs(actions).max() <= 1.0
    env.close()
    shares = np.mean(labels, axis=1)
    assert 0.3 <= shares.mean() <= 0.65
    assert np.mean((shares > 0) & (shares < 1)) >= 0.75


def _lateral_where_low_m(astray_probability: float) -> np.ndarray:
    """Distances from the axis in pictures of free plugs less than 6 mm over the mouth."""
    config, distances = CollectionConfig(), []
    script = config.script.model_copy(update={"astray_probability": astray_probability})
    env = make_insertion("ur5", "job-far", connector=CONNECTORS[0])
    for episode in range(24):
        seed = episode_seed(config, CONNECTORS[0], episode)
        played = play_episode(env, script, session=CONNECTORS[0], episode=episode, seed=seed, seated=False)
        shown_m = env.simulation.estimated_goal_in_base.position_m - env.simulation.goal_in_base.position_m
        offset_m = np.array([transition.next_observation.state[:3] for transition in played.transitions]) + shown_m
        over_mouth_m = offset_m[:, 2] - env.connector.depth_m
        low = (over_mouth_m > -0.0005) & (over_mouth_m < 0.006)
        distances += np.hypot(offset_m[low, 0], offset_m[low, 1]).tolist()
    env.close()
    return np.array(distances)


def test_script_that_goes_astray_shows_low_plugs_where_no_socket_is() -> None:
    astray, sure = (_lateral_where_low_m(probability) for probability in (0.5, 0.0))
    assert np.mean(astray > 0.003) > 2.0 * np.mean(sure > 0.003) > 0.0


def test_plans_of_a_family_take_the_series_in_turn_and_keep_the_split() -> None:
    train, held_out = family_plans("fifty", "train"), family_plans("fifty", "held-out")
    series = [plan.domain.series for plan in train]
    kinds = len(set(series))
    assert len(set(series[:kinds])) == kinds >= 10 and len(train) >= 50 and len(held_out) >= 24
    assert not set(series) & {plan.domain.series for plan in held_out}
    assert {plan.domain.split for plan in held_out} == {"held-out"}
    assert len({plan.name for plan in train + held_out}) == len(train) + len(held_out)


def test_more_connectors_per_series_are_added_to_those_that_are_stored() -> None:
    usual, more = family_plans("fifty"), family_plans("fifty", train_per_series=7)
    by_name = {plan.name: plan for plan in more}
    assert [by_name[plan.name] for plan in usual] == usual
    added = [plan for plan in more if plan not in usual]
    kinds = {plan.domain.series for plan in usual if plan.domain.split == "train"}
    assert sorted(plan.name for plan in added) == sorted(f"{kind}_{n:02d}" for kind in kinds for n in (6, 7))
    assert {plan.domain.split for plan in added} == {"train"}


def test_seated_start_has_the_plug_in_and_no_force() -> None:
    env = make_insertion("ur5", "job-far", connector=CONNECTORS[0])
    state, _ = env.reset(seed=3, options={"seated": True})
    assert isinstance(state, np.ndarray)
    assert env.simulation.electrical() and abs(state[3]) < 0.5
    assert np.hypot(*state[:2]) == pytest.approx(np.linalg.norm(env.simulation.draw.goal_error_m), abs=1e-4)
    env.reset(seed=3)
    assert not env.simulation.electrical()
    env.close()
