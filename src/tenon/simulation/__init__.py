"""MuJoCo scenes from parameters.

Off-screen frames are drawn through EGL unless MUJOCO_GL says otherwise. MuJoCo reads the variable when it is imported,
so it is set here, ahead of the first import, and no module outside this package imports MuJoCo.
"""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
