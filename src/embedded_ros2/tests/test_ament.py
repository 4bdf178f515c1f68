"""The package index: prefixes, shipped definitions, source workspaces."""

import subprocess

import pytest

from embedded_ros2 import ament
from embedded_ros2.interfaces import get_service


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def manifest(name):
    return f"<package format='3'><name>{name}</name></package>"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for variable in ("AMENT_PREFIX_PATH", ament.WORKSPACES_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(ament.metadata, "entry_points", lambda group: [])
    ament._workspaces.cache_clear()
    ament._source_packages.cache_clear()
    yield
    ament._workspaces.cache_clear()
    ament._source_packages.cache_clear()


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """An installed prefix with the package arm_driver."""
    root = tmp_path / "install"
    write(root / "share/ament_index/resource_index/packages/arm_driver")
    write(root / "share/arm_driver/package.xml", manifest("arm_driver"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(root))
    return root


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = tmp_path / "ws"
    monkeypatch.setenv(ament.WORKSPACES_VARIABLE, str(root))
    return root


def test_installed_package_is_found_through_its_marker(prefix):
    assert ament.get_package_share_directory("arm_driver") == str(prefix / "share" / "arm_driver")
    assert ament.get_package_prefix("arm_driver") == str(prefix)
    assert ament.get_packages_with_prefixes()["arm_driver"] == str(prefix)


def test_installed_package_goes_before_a_shipped_one(prefix):
    assert ament.get_package_prefix("std_msgs") == str(ament._SHIPPED_PREFIX)
    write(prefix / "share/ament_index/resource_index/packages/std_msgs")
    assert ament.get_package_prefix("std_msgs") == str(prefix)
    assert ament.get_packages_with_prefixes()["std_msgs"] == str(prefix)


def test_source_packages_are_found_down_to_two_levels(workspace):
    write(workspace / "a/package.xml", manifest("pkg_a"))
    write(workspace / "src/b/package.xml", manifest("pkg_b"))
    write(workspace / "src/deep/c/package.xml", manifest("pkg_c"))
    write(workspace / "ignored/COLCON_IGNORE")
    write(workspace / "ignored/d/package.xml", manifest("pkg_d"))
    found = set(ament.get_packages_with_prefixes()) & {f"pkg_{letter}" for letter in "abcd"}
    assert found == {"pkg_a", "pkg_b"}
    assert ament.get_package_share_directory("pkg_b") == str(workspace / "src" / "b")


def test_broken_manifest_is_passed_over_and_reported(workspace, caplog):
    write(workspace / "bad/package.xml", "<package>")
    write(workspace / "good/package.xml", manifest("pkg_good"))
    assert "pkg_good" in ament.get_packages_with_prefixes()
    assert str(workspace / "bad" / "package.xml") in caplog.text


def test_entry_points_add_workspaces(tmp_path, monkeypatch):
    write(tmp_path / "p/package.xml", manifest("pkg_p"))

    class EntryPoint:
        name = "demo"

        def __init__(self, function):
            self.load = lambda: function

    def fail():
        raise RuntimeError("broken plug-in")

    points = [EntryPoint(fail), EntryPoint(lambda: [str(tmp_path)])]
    monkeypatch.setattr(ament.metadata, "entry_points", lambda group: points)
    assert ament.get_package_share_directory("pkg_p") == str(tmp_path / "p")


def test_unknown_package_names_what_was_searched(prefix, workspace):
    with pytest.raises(ament.PackageNotFoundError) as caught:
        ament.get_package_share_directory("nothing_here")
    text = str(caught.value)
    assert "'nothing_here'" in text and str(prefix) in text and str(workspace) in text
    assert isinstance(caught.value, KeyError)
    with pytest.raises(ament.PackageNotFoundError):
        ament.get_package_prefix("")


def test_programs_of_an_installed_package(prefix):
    program = prefix / "lib/arm_driver/driver"
    write(program, "#!/bin/sh\n")
    write(prefix / "lib/arm_driver/notes.txt")
    program.chmod(0o755)
    assert ament.executables("arm_driver") == {"driver": [str(program)]}


def test_programs_of_a_source_package_run_without_installation(workspace):
    write(workspace / "demo/package.xml", manifest("demo"))
    write(workspace / "demo/setup.cfg", "[options.entry_points]\nconsole_scripts =\n    hello = demo_module.main:run\n")
    write(workspace / "demo/demo_module/__init__.py")
    write(workspace / "demo/demo_module/main.py", "import sys\ndef run():\n    print(sys.argv)\n    return 3\n")
    commands = ament.executables("demo")
    assert list(commands) == ["hello"]
    result = subprocess.run([*commands["hello"], "--ros-args", "x"], capture_output=True, text=True)
    assert result.returncode == 3 and result.stdout.strip() == "['hello', '--ros-args', 'x']"


def test_package_without_programs_has_none(workspace):
    write(workspace / "demo/package.xml", manifest("demo"))
    assert ament.executables("demo") == {} == ament.executables("std_msgs")


def test_interfaces_of_a_source_package_are_found(workspace):
    write(workspace / "odd_msgs/package.xml", manifest("odd_msgs"))
    write(workspace / "odd_msgs/srv/Ask.srv", "std_msgs/Header header\n---\nbool ok\n")
    assert get_service("odd_msgs/srv/Ask").Request().header.frame_id == ""
