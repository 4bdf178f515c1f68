"""What colcon reads: each package.xml names what its code imports, and no package waits for itself."""

from __future__ import annotations

import ast
import graphlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    str(ElementTree.parse(file).findtext("name")): file.parent
    for file in sorted((*ROOT.glob("ros2_ws/src/*/package.xml"), *ROOT.glob("hardware/*/package.xml")))
}
OF_ROS = frozenset(("rclpy", "ament_index_python"))
SUFFIXES = ("_msgs", "_srvs", "_interfaces")
OPTIONAL = frozenset({("tenon_camera", "tenon_realsense")})
"""Looked for only where a file asks for it; the other way round it is needed always."""


def dependencies(package: str) -> set[str]:
    root = ElementTree.parse(PACKAGES[package] / "package.xml").getroot()
    return {str(element.text) for element in root if element.tag in ("depend", "exec_depend", "build_depend")}


def imported(package: str) -> set[str]:
    """Packages of ROS and of Tenon that the code imports, but for what only tests use and the ROS 1 shim."""
    found: set[str] = set()
    for file in PACKAGES[package].rglob("*.py"):
        if "intera_shim" in file.parts or "testing" in (*file.parts, file.stem):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return {name for name in found if name in PACKAGES or name in OF_ROS or name.endswith(SUFFIXES)} - {package}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_names_what_it_imports(package: str) -> None:
    missing = imported(package) - dependencies(package)
    assert {name for name in missing if (package, name) not in OPTIONAL} == set()


def test_no_package_waits_for_itself() -> None:
    graphlib.TopologicalSorter({name: dependencies(name) & PACKAGES.keys() for name in PACKAGES}).prepare()


def test_messages_find_all_that_they_are_generated_from() -> None:
    """rosidl_generate_interfaces ends the build where a dependency has not been found before it is called."""
    text = (PACKAGES["tenon_msgs"] / "CMakeLists.txt").read_text()
    named = text.split("set(interface_dependencies ")[1].split(")")[0].split()
    assert set(named) == {name for name in dependencies("tenon_msgs") if name != "rosidl_default_runtime"}
    assert text.index("find_package(${dependency} REQUIRED)") < text.index("rosidl_generate_interfaces(")
