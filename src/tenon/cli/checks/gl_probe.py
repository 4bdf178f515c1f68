"""Renders in a process of its own, because a broken OpenGL may end the process that tries it.

Prints one JSON object: renderer (its name), frames_per_s at the given size, steps_per_s of a small contact scene.
"""

from __future__ import annotations

import json
import sys
import time

WIDTH, HEIGHT = 128, 128
FRAMES = 30
STEPS = 2000
LOWEST_CONTRAST = 1.0
"""Standard deviation of the picture's values (0 to 255): an empty frame has none."""

SCENE = """
<mujoco>
  <option timestep="0.002"/>
  <visual><global offwidth="128" offheight="128"/></visual>
  <worldbody>
    <light pos="0 0 2"/>
    <camera name="view" pos="0 -1 0.6" xyaxes="1 0 0 0 0.5 1"/>
    <geom type="plane" size="1 1 0.1" rgba="0.2 0.3 0.4 1"/>
    <body pos="0 0 0.2"><freejoint/><geom type="box" size="0.05 0.05 0.05" rgba="0.9 0.5 0.1 1"/></body>
    <body pos="0.2 0 0.3"><freejoint/><geom type="capsule" size="0.04 0.06" rgba="0.1 0.6 0.9 1"/></body>
  </worldbody>
</mujoco>
"""


def main() -> int:
    import mujoco

    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    started = time.perf_counter()
    for _ in range(STEPS):
        mujoco.mj_step(model, data)
    steps_per_s = STEPS / (time.perf_counter() - started)
    with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:
        renderer.update_scene(data, "view")
        picture = renderer.render()
        if float(picture.std()) < LOWEST_CONTRAST:
            sys.stderr.write("the frame came out empty: every pixel has the same colour\n")
            return 1
        started = time.perf_counter()
        for _ in range(FRAMES):
            renderer.update_scene(data, "view")
            renderer.render()
        frames_per_s = FRAMES / (time.perf_counter() - started)
        name = _renderer_name()
    sys.stdout.write(json.dumps({"renderer": name, "frames_per_s": frames_per_s, "steps_per_s": steps_per_s}) + "\n")
    return 0


def _renderer_name() -> str:
    try:
        from OpenGL import GL

        return str(GL.glGetString(GL.GL_RENDERER).decode())
    except Exception:  # the name is for people; PyOpenGL may look at another library than MuJoCo does
        return "unknown renderer"


if __name__ == "__main__":
    sys.exit(main())
