"""Off-screen frames of a MuJoCo model, with the settings that are fast on a CPU."""

from __future__ import annotations

import os

import mujoco
import numpy as np
from numpy.typing import NDArray

SLOW_EFFECTS = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
    mujoco.mjtRndFlag.mjRND_FOG,
    mujoco.mjtRndFlag.mjRND_HAZE,
)
GL_PACKAGES = "libegl1 libgl1-mesa-dri libgl1 libgles2 libopengl0"


class RenderingError(RuntimeError):
    """No frame can be drawn. The message names what is missing."""


class Cameras:
    """Draws frames of one model. A renderer is made at the first use of a size and kept."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}

    def render(self, data: mujoco.MjData, camera: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """(height, width, 3) RGB. Raises RenderingError for an unknown camera, a frame too large, a missing OpenGL."""
        names = [self._model.camera(index).name for index in range(self._model.ncam)]
        if camera not in names:
            raise RenderingError(f"there is no camera {camera!r}; this scene has {', '.join(names)}")
        renderer = self._renderer(width_px, height_px)
        renderer.update_scene(data, camera)
        for effect in SLOW_EFFECTS:
            renderer.scene.flags[effect] = 0
        frame: NDArray[np.uint8] = renderer.render()
        return frame

    def close(self) -> None:
        """Frees the graphics contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _renderer(self, width_px: int, height_px: int) -> mujoco.Renderer:
        size = (width_px, height_px)
        if size not in self._renderers:
            room = self._model.vis.global_
            if width_px > room.offwidth or height_px > room.offheight:
                raise RenderingError(
                    f"a frame of {width_px}x{height_px} is larger than the scene's buffer of "
                    f"{room.offwidth}x{room.offheight}: raise scene.image_width_px and scene.image_height_px"
                )
            self._renderers[size] = _make_renderer(self._model, width_px, height_px)
        return self._renderers[size]


def _make_renderer(model: mujoco.MjModel, width_px: int, height_px: int) -> mujoco.Renderer:
    try:
        return mujoco.Renderer(model, height=height_px, width=width_px)
    except Exception as error:  # each backend fails in its own way: ImportError, AttributeError, FatalError, EGLError
        backend = os.environ.get("MUJOCO_GL", "(unset)")
        raise RenderingError(
            f"frames cannot be drawn with MUJOCO_GL={backend}: {error}. On Debian or Ubuntu: "
            f"sudo apt-get install {GL_PACKAGES}, then MUJOCO_GL=egl"
        ) from error
