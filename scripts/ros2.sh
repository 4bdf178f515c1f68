#!/usr/bin/env bash
# Builds Tenon's packages for the ROS 2 that is sourced. Nodes run in the virtual environment's Python, which has torch.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

say() { printf '[ros2] %s\n' "$*"; }
fail() { printf '[ros2] error: %s\n' "$*" >&2; exit 1; }

[ -n "${AMENT_PREFIX_PATH:-}" ] || fail "no ROS 2 is sourced. Type: source /opt/ros/DISTRO/setup.bash, then make ros2"
# colcon starts the packages' setup.py, and with it the nodes, with its own Python; from 80 on setuptools refuses the
# way in which it installs by links. Messages of newer ROS 2 need lark, and the EmPy that colcon brings, to be imported.
"$VENV/bin/pip" install --quiet colcon-common-extensions colcon-ros lark 'setuptools<80'
"$VENV/bin/python" - <<'PYTHON' || fail "$VENV cannot import the rclpy of ROS 2 ${ROS_DISTRO:-}: it was made with another Python, or ROS's PYTHONPATH is not set. Type: rm -r $VENV && PYTHON=/usr/bin/python3 make setup, then make ros2"
import sys, rclpy
sys.exit("embedded_ros2" in rclpy.__file__)
PYTHON
say "tenon_msgs and the nodes, into install/"
# The generators of messages need Debian packages that this environment does not see.
"$VENV/bin/python" -m colcon build --base-paths ros2_ws/src hardware --symlink-install \
    --cmake-args -DPython3_EXECUTABLE=/usr/bin/python3 "$@"
say "ready. In this shell: source install/setup.bash; then as always: $VENV/bin/tenon session run"
