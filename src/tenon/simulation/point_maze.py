"""The point mass in the medium maze of gymnasium-robotics, stepped directly.

Source: iql.md, section 8 (``PointMaze_Medium``, 8 x 8 cells of 1 m). Cells are (row, column) of the map.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from tenon.simulation.robotics_package import robotics_module

Vector = NDArray[np.float64]
Cell = tuple[int, int]

WALL = 1
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


class PointMaze:
    """actuator_gain: factor on the force of both actuators. Raises RoboticsPackageError without gymnasium-robotics."""

    def __init__(self, actuator_gain: float = 1.0) -> None:
        medium = robotics_module("envs.maze.maps").MEDIUM_MAZE
        self._task = robotics_module("envs.maze.point_maze").PointMazeEnv(maze_map=medium, continuing_task=False)
        Path(self._task.tmp_xml_file_path).unlink()  # the package leaves one behind in the temporary folder per maze
        self._point = self._task.point_env
        self._point.model.actuator_gainprm[:, 0] *= actuator_gain
        self.cells: tuple[Cell, ...] = tuple(
            (row, column) for row, line in enumerate(medium) for column, kind in enumerate(line) if kind != WALL
        )

    def centre_m(self, cell: Cell) -> Vector:
        """The middle of a cell (2,)."""
        return np.array(self._task.maze.cell_rowcol_to_xy(np.array(cell)))

    def distances(self, start: Cell) -> dict[Cell, int]:
        """How many cells away each cell is, along the corridors."""
        found, waiting = {start: 0}, deque([start])
        while waiting:
            row, column = cell = waiting.popleft()
            for step in STEPS:
                neighbour = (row + step[0], column + step[1])
                if neighbour in self.cells and neighbour not in found:
                    found[neighbour] = found[cell] + 1
                    waiting.append(neighbour)
        return found

    def path(self, start: Cell, end: Cell) -> list[Cell]:
        """A shortest way, both ends included."""
        left, cells = self.distances(end), [start]
        while cells[-1] != end:
            row, column = cells[-1]
            neighbours = ((row + step[0], column + step[1]) for step in STEPS)
            cells.append(min((cell for cell in neighbours if cell in left), key=left.__getitem__))
        return cells

    @property
    def state(self) -> Vector:
        """(4,): x, y in m, and their velocities in m/s."""
        return np.concatenate((self._point.data.qpos, self._point.data.qvel))

    def place(self, position_m: Vector) -> None:
        """Puts the point there, at rest."""
        mujoco.mj_resetData(self._point.model, self._point.data)
        self._point.set_state(position_m, np.zeros(2))

    def step(self, action: Vector, repeats: int) -> None:
        """Pushes with (2,) in [-1, 1] for ``repeats`` steps of 10 ms."""
        for _ in range(repeats):
            self._point.step(action)

    def close(self) -> None:
        self._task.close()
