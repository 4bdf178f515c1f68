"""The import finder provides ROS 2 only where there is none. Each case runs in an interpreter of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import embedded_ros2

ROOT = Path(embedded_ros2.__file__).resolve().parents[1]
OTHER_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor + 1}"


def run(code, *path, **environment):
    """Runs ``code`` with the finder installed, ``path`` on PYTHONPATH; gives the finished process."""
    kept = {
        k: v for k, v in os.environ.items() if k not in ("AMENT_PREFIX_PATH", "EMBEDDED_ROS2_WORKSPACES", "ROS_DISTRO")
    }
    variables = kept | {"PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))} | environment
    prelude = "import embedded_ros2.finder as finder, sys; finder.install(); finder.install()\n"
    return subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, env=variables)


def output(*arguments, **environment):
    result = run(*arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def real_ros(tmp_path):
    """A directory with a stand-in for a real rclpy, without any messages."""
    write(tmp_path / "real/rclpy/__init__.py", "NAME = 'real'\n")
    return tmp_path / "real"


def test_finder_is_last_and_there_once():
    assert (
        output(
            "print([type(f).__name__ for f in sys.meta_path].count('EmbeddedFinder'), type(sys.meta_path[-1]).__name__)"
        )
        == "1 EmbeddedFinder"
    )


def test_messages_services_and_actions_are_importable():
    code = (
        "from std_msgs.msg import String, Header\nimport std_srvs.srv\n"
        "from example_interfaces.action import Fibonacci\n"
        "print(String(data='x').data, std_srvs.srv.SetBool.Request().data, Fibonacci.Goal().order)"
    )
    assert output(code) == "x False 0"


def test_classes_are_made_when_first_used():
    code = (
        "import sensor_msgs.msg as m\nfrom embedded_ros2.interfaces import registry\n"
        "print(len(registry._classes), 'Image' in dir(m)); m.Image; print('sensor_msgs/msg/Image' in registry._classes)"
    )
    assert output(code).split() == ["0", "True", "True"]


def test_star_import_and_pickle_work():
    code = (
        "from std_srvs.srv import *\nimport pickle, std_msgs.msg\n"
        "request = SetBool.Request(data=True)\nassert pickle.loads(pickle.dumps(request)) == request\n"
        "message = std_msgs.msg.String(data='a')\nassert pickle.loads(pickle.dumps(message)) == message\nprint('ok')"
    )
    assert output(code) == "ok"


@pytest.mark.parametrize(
    "code",
    ["import std_msgs.srv", "import nothing_msgs", "from std_msgs.msg import Nothing", "import std_msgs.nothing"],
)
def test_what_does_not_exist_is_an_import_error(code):
    result = run(code)
    assert (result.returncode == 1 and "ImportError" in result.stderr) or "ModuleNotFoundError" in result.stderr


def test_messages_of_a_source_workspace_are_importable(tmp_path):
    write(tmp_path / "src/demo_msgs/package.xml", "<package><name>demo_msgs</name></package>")
    write(tmp_path / "src/demo_msgs/msg/Thing.msg", "std_msgs/String name\n")
    code = "from demo_msgs.msg import Thing; print(Thing())"
    expected = "demo_msgs.msg.Thing(name=std_msgs.msg.String(data=''))"
    assert output(code, EMBEDDED_ROS2_WORKSPACES=str(tmp_path)) == expected


def test_ament_index_and_interface_utilities_are_provided():
    code = (
        "from ament_index_python.packages import get_package_share_directory as share, PackageNotFoundError\n"
        "from rosidl_runtime_py.utilities import get_message, get_service, get_action, get_interface\n"
        "import std_msgs.msg\n"
        "print(share('std_msgs').endswith('std_msgs'), get_message('std_msgs/msg/String') is std_msgs.msg.String)"
    )
    assert output(code) == "True True"


@pytest.mark.parametrize("name", ["std_msgs", "std_msgs.msg", "ament_index_python", "rosidl_runtime_py"])
def test_real_rclpy_keeps_everything_of_ours_away(real_ros, name):
    assert output("import rclpy; print(rclpy.NAME)", real_ros) == "real"
    for prelude in ("", "import rclpy; "):
        result = run(f"{prelude}import {name}", real_ros)
        assert result.returncode == 1 and "ModuleNotFoundError" in result.stderr


def test_real_messages_win_where_there_is_a_real_rclpy(real_ros):
    write(real_ros / "std_msgs/__init__.py")
    write(real_ros / "std_msgs/msg/__init__.py", "String = 'real String'\n")
    assert output("import std_msgs.msg; print(std_msgs.msg.String)", real_ros) == "real String"


def test_package_that_is_not_built_for_a_real_ros_is_refused_with_the_way_out(tmp_path, real_ros):
    write(tmp_path / "source/lab_msgs/msg/Bolt.msg", "float64 torque\n")
    write(tmp_path / "source/lab_msgs/package.xml", "<package><name>lab_msgs</name></package>")
    result = run("import lab_msgs.msg", real_ros, EMBEDDED_ROS2_WORKSPACES=str(tmp_path / "source"), ROS_DISTRO="jazzy")
    assert result.returncode == 1
    assert "a real ROS 2 (jazzy) is in use, and lab_msgs is not built for it" in result.stderr
    assert "make ros2" in result.stderr


def test_real_rclpy_found_by_another_finder_counts(tmp_path, real_ros):
    code = (
        "import importlib.util\n"
        "class Late:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        path = {str(real_ros / 'rclpy/__init__.py')!r}\n"
        "        return importlib.util.spec_from_file_location(name, path) if name == 'rclpy' else None\n"
        "sys.meta_path.append(Late())\n"
        "try:\n    import std_msgs\nexcept ImportError:\n    print('kept away')"
    )
    assert output(code) == "kept away"


def test_ros_for_another_python_is_announced_when_ours_stands_in(tmp_path):
    (tmp_path / "lib" / OTHER_PYTHON / "site-packages" / "rclpy").mkdir(parents=True)
    code = (
        "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    warnings.simplefilter('always')\n"
        "    sys.meta_path[-1].find_spec('rclpy')\nprint(seen[0].message)"
    )
    text = output(code, AMENT_PREFIX_PATH=str(tmp_path), ROS_DISTRO="jazzy")
    assert "jazzy" in text and OTHER_PYTHON in text and "the embedded ROS 2 is used" in text


def test_real_rclpy_for_another_python_fails_with_the_reason(tmp_path):
    packages = tmp_path / "lib" / OTHER_PYTHON / "site-packages"
    write(packages / "rclpy/__init__.py", "import importlib\nimportlib.import_module('._rclpy_pybind11', 'rclpy')\n")
    result = run("import rclpy", packages, AMENT_PREFIX_PATH=str(tmp_path), ROS_DISTRO="jazzy")
    assert result.returncode == 1
    assert f"its rclpy is for {OTHER_PYTHON}" in result.stderr and "PYTHONPATH" in result.stderr


def test_start_of_the_interpreter_loads_nothing_of_ros():
    loaded = output("print([m for m in sys.modules if m.startswith('embedded_ros2') or m in ('numpy', 'zenoh')])")
    assert loaded == "['embedded_ros2', 'embedded_ros2.finder']"
