#!/usr/bin/env bash
# Sources ROS 2 and the workspace, where there are any, and runs what was asked for.
set -eo pipefail
# The setup files of ROS read variables that may be unset.
for setup in "/opt/ros/${ROS_DISTRO}/setup.bash" /tenon/install/setup.bash; do
    if [ -f "$setup" ]; then
        # shellcheck disable=SC1090
        source "$setup"
    fi
done
exec "$@"
