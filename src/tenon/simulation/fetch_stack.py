"""Blocks to be stacked by the Fetch arm of gymnasium-robotics: its own scene, with as many blocks as are asked for.

Source: demos-her.md, section 4. The first block is in place already; the goal of each further one is the next storey
of the tower on it: g_1 = x_1, g_i = g_(i-1) + (0, 0, 5 cm).
"""

from __future__ import annotations

import itertools
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from tenon.simulation.robotics_package import robotics_module

Vector = NDArray[np.float64]

BLOCK_M, BLOCK_STATE_SIZE = 0.05, 15
MOST_BLOCKS = 6
_APART_M = 0.1
"""Least distance of two blocks at the start: the open gripper goes between them."""
_AROUND_M = 0.15
"""Blocks lie within this of the gripper's start, in x and in y; as in the package's own tasks."""
_DRAWS = 10_000


def stack_task(blocks: int) -> Any:
    """The class of the package's tasks that stacks 2 to 6 blocks. Raises ValueError for another number.

    Observation: gripper's position and fingers, their velocities, (10,); then of each block its position, that from the
    gripper, rotation, velocity from the gripper and angular velocity, (15,). Velocities times the control period, as in
    the package's own tasks. Goals are the blocks' positions one after another, (3 blocks,) in m.
    """
    if not 2 <= blocks <= MOST_BLOCKS:
        raise ValueError(f"a tower is of 2 to {MOST_BLOCKS} blocks, got {blocks}")
    base = robotics_module("envs.fetch").MujocoFetchEnv
    utilities = robotics_module("utils.mujoco_utils")
    euler = robotics_module("utils.rotations").mat2euler
    names = [f"object{number}" for number in range(blocks)]

    class Stack(base):  # type: ignore[misc,valid-type]
        def __init__(self, reward_type: str) -> None:
            rest = (1.0, 0.0, 0.0, 0.0)
            super().__init__(
                model_path="fetch/pick_and_place.xml",
                has_object=True,
                block_gripper=False,
                n_substeps=20,
                gripper_extra_height=0.2,
                target_in_the_air=True,
                target_offset=0.0,
                obj_range=_AROUND_M,
                target_range=_AROUND_M,
                distance_threshold=BLOCK_M,
                initial_qpos={
                    "robot0:slide0": 0.405,
                    "robot0:slide1": 0.48,
                    "robot0:slide2": 0.0,
                    **{f"{n}:joint": [1.25, 0.53 + 0.1 * i, 0.4, *rest] for i, n in enumerate(names)},
                },
                reward_type=reward_type,
            )

        def _initialize_simulation(self) -> None:
            scene = mujoco.MjSpec.from_file(self.fullpath)
            for name in names[1:]:
                _add_block(scene, name)
            self.model = scene.compile()
            self.data = mujoco.MjData(self.model)
            self._model_names = utilities.MujocoModelNames(self.model)
            self._env_setup(initial_qpos=self.initial_qpos)
            self.initial_time = self.data.time
            self._start_positions, self._start_velocities = self.data.qpos.copy(), self.data.qvel.copy()

        def _reset_sim(self) -> bool:
            mujoco.mj_resetData(self.model, self.data)
            self.data.time = self.initial_time
            self.data.qpos[:], self.data.qvel[:] = self._start_positions, self._start_velocities
            around_m = self.initial_gripper_xpos[:2]
            for name, place_m in zip(names, _places(blocks, around_m, self.np_random), strict=True):
                self.data.joint(f"{name}:joint").qpos[:2] = place_m
            mujoco.mj_forward(self.model, self.data)
            return True

        def _sample_goal(self) -> Vector:
            first_m = utilities.get_site_xpos(self.model, self.data, names[0])
            return np.concatenate([first_m + np.array((0.0, 0.0, i * BLOCK_M)) for i in range(blocks)])

        def _get_obs(self) -> dict[str, Vector]:
            model, data, period_s = self.model, self.data, self.n_substeps * self.model.opt.timestep
            gripper_m = utilities.get_site_xpos(model, data, "robot0:grip")
            gripper_moved_m = utilities.get_site_xvelp(model, data, "robot0:grip") * period_s
            joints, joint_velocities = utilities.robot_get_obs(model, data, self._model_names.joint_names)
            seen = [gripper_m, joints[-2:], gripper_moved_m, joint_velocities[-2:] * period_s]
            places = [utilities.get_site_xpos(model, data, name) for name in names]
            for name, place_m in zip(names, places, strict=True):
                rotation = euler(utilities.get_site_xmat(model, data, name))
                block_moved_m = utilities.get_site_xvelp(model, data, name) * period_s
                turned = utilities.get_site_xvelr(model, data, name) * period_s
                seen += [place_m, place_m - gripper_m, rotation, block_moved_m - gripper_moved_m, turned]
            achieved = np.concatenate(places)
            return {"observation": np.concatenate(seen), "achieved_goal": achieved, "desired_goal": self.goal.copy()}

    return Stack


def _places(blocks: int, around_m: Vector, rng: np.random.Generator) -> Vector:
    """Where the blocks lie, (blocks, 2) in m."""
    for _ in range(_DRAWS):
        places: Vector = around_m + rng.uniform(-_AROUND_M, _AROUND_M, (blocks, 2))
        if all(np.linalg.norm(a - b) >= _APART_M for a, b in itertools.combinations(places, 2)):
            return places
    raise RuntimeError(f"{blocks} blocks found no places {_APART_M} m apart in {_DRAWS} draws")


def _add_block(scene: mujoco.MjSpec, name: str) -> None:
    """A further one, made like the package's."""
    first, like = scene.body("object0"), scene.geom("object0")
    body = scene.worldbody.add_body(name=name, pos=first.pos)
    body.add_freejoint(name=f"{name}:joint")
    body.joints[0].damping = first.joints[0].damping
    body.add_geom(name=name, type=like.type, size=like.size, condim=like.condim, mass=like.mass, material=like.material)
    body.add_site(name=name, size=first.sites[0].size, rgba=first.sites[0].rgba)
