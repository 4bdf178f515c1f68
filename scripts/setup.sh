#!/usr/bin/env bash
# Builds the virtual environment: torch as the machine has it (CPU or CUDA), Tenon, the embedded ROS 2, and the
# Debian packages that headless rendering needs.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
TORCH_VERSION=${TORCH_VERSION:-2.13.0}
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
GL_PACKAGES="libegl1 libgl1-mesa-dri libgl1 libgles2 libopengl0"

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

find_python() {
    local ros_python=
    [ -z "${ROS_DISTRO:-}" ] || ros_python=/usr/bin/python3  # the only one that can import its rclpy
    for candidate in "${PYTHON:-}" "$ros_python" python3.11 python3.12 python3.13 python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 to 3.14 found. Install one (Debian 12, Ubuntu 24.04: sudo apt-get install python3 python3-venv) or set PYTHON=/path/to/python3"
}

make_venv() {
    [ -x "$VENV/bin/python" ] && return
    local python
    python=$(find_python)
    say "virtual environment in $VENV from $python"
    "$python" -m venv "$VENV" || fail "venv failed. On Debian or Ubuntu: sudo apt-get install python3-venv"
}

install_torch() {
    if "$VENV/bin/python" -c 'import torch' 2>/dev/null; then return; fi
    local index=()
    if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null 2>&1; then
        # Without a GPU the CPU build will do. A configured package source may offer it already; the public index
        # offers the CUDA build under the plain name, several gigabytes, so there the CPU index is asked instead.
        if ! "$VENV/bin/pip" install --quiet --dry-run --no-deps --report - "torch==$TORCH_VERSION" 2>/dev/null |
            grep -q '"version": *"[^"]*+cpu"'; then
            index=(--index-url "$TORCH_CPU_INDEX")
        fi
    fi
    say "torch $TORCH_VERSION ${index[*]:-}"
    "$VENV/bin/pip" install --quiet "${index[@]}" "torch==$TORCH_VERSION"
}

install_gl() {
    if MUJOCO_GL=egl "$VENV/bin/python" -c 'import mujoco; mujoco.GLContext(16, 16).make_current()' 2>/dev/null; then return; fi
    command -v apt-get >/dev/null || fail "rendering needs EGL, and this is no Debian or Ubuntu: install Mesa's EGL and OpenGL libraries"
    local install="apt-get install -y --no-install-recommends $GL_PACKAGES"
    if [ "$(id -u)" = 0 ]; then
        say "Debian packages for EGL: $GL_PACKAGES"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
    elif sudo -n true 2>/dev/null; then
        say "Debian packages for EGL: $GL_PACKAGES"
        sudo apt-get update -qq && sudo env DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
    else
        fail "the camera needs EGL. Type this line, then run make again:
    sudo apt-get update && sudo $install"
    fi
    MUJOCO_GL=egl "$VENV/bin/python" -c 'import mujoco; mujoco.GLContext(16, 16).make_current()' ||
        fail "EGL still does not work after installing $GL_PACKAGES; tenon doctor says more"
}

install_libusb() {
    # Cameras of Intel's RealSense family need it; nothing else does, so a machine that cannot have it goes without.
    if ldconfig -p 2>/dev/null | grep -q 'libusb-1.0.so.0'; then return; fi
    local how=()
    [ "$(id -u)" = 0 ] || how=(sudo -n)
    if command -v apt-get >/dev/null &&
        "${how[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libusb-1.0-0 >/dev/null 2>&1; then
        say "Debian package for RealSense cameras: libusb-1.0-0"
    else
        say "no libusb: RealSense cameras will not work. To have them: sudo apt-get install libusb-1.0-0"
    fi
}

install_chromium() {
    # The console's tests drive a real browser. A machine that cannot have it goes without: they are skipped and say so.
    if command -v chromium >/dev/null; then return; fi
    local how=()
    [ "$(id -u)" = 0 ] || how=(sudo -n)
    if command -v apt-get >/dev/null && "${how[@]}" apt-get update -qq >/dev/null 2>&1 &&
        "${how[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1; then
        say "Debian package for the console's tests: chromium"
    else
        say "no chromium: the console's tests in a browser are skipped. To have them: sudo apt-get install chromium"
    fi
}

make_venv
install_torch
say "Tenon and what it needs"
"$VENV/bin/pip" install --quiet -e src/embedded_ros2 -e '.[dev]'
install_gl
install_libusb
install_chromium
say "ready: $VENV/bin/tenon --help"
