# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH208
# (pathlib would slow down every start of the interpreter)
"""The import finder that stands in for a ROS 2 installation, last in line and only while there is none.

While no real ``rclpy`` can be imported it provides ``rclpy``, ``ament_index_python``, ``rosidl_runtime_py.utilities``
and every interface package of the ament index (``std_msgs.msg``, ``tenon_msgs.srv``, ...), whose classes are made when
they are first used. As soon as a real one can be imported it provides nothing, so that the two never mix.

A ``.pth`` file installs it at every start of the interpreter: this module imports nothing that is not loaded anyway.
"""

import os
import sys

TYPE_CHECKING = False  # as in typing, which takes a millisecond to import
if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
    from importlib.machinery import ModuleSpec
    from types import ModuleType
else:
    Loader = MetaPathFinder = object

_HERE = os.path.dirname(os.path.abspath(__file__))
_PROVIDED_DIRECTORY = os.path.join(_HERE, "provided")
_SHARE_DIRECTORY = os.path.join(_HERE, "share")
_PROVIDED = frozenset(("rclpy", "ament_index_python", "rosidl_runtime_py"))
_KINDS = ("msg", "srv", "action")
_EXTENSIONS = ("rclpy._rclpy_pybind11", "rclpy._rclpy_nanobind")

# Packages outside the shipped ones are looked for in workspaces only under such names: a look costs milliseconds and
# may load entry points, which is nothing to do for each optional import that fails.
_INTERFACE_SUFFIXES = ("_msgs", "_srvs", "_interfaces", "_actions")


class UnbuiltPackageError(ImportError):
    """A real ROS 2 is in use, and a package of a workspace is not built for it."""


class EmbeddedFinder(MetaPathFinder):
    """A meta path finder; see the module."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        parent, _, name = fullname.rpartition(".")
        if fullname in _EXTENSIONS:
            _refuse_foreign_rclpy(fullname)
        if parent:
            loader = getattr(getattr(sys.modules.get(parent), "__spec__", None), "loader", None)
            return self._kind_spec(fullname, parent, name) if isinstance(loader, _InterfaceLoader) else None
        if name not in _PROVIDED and not self._is_interface_package(name):
            return None
        if self._is_real_ros_importable():
            _refuse_unbuilt_package(name)
            return None
        from importlib.machinery import ModuleSpec, PathFinder

        if name in _PROVIDED:
            if name == "rclpy":
                _warn_of_foreign_ros()
            return PathFinder.find_spec(fullname, [_PROVIDED_DIRECTORY])
        return ModuleSpec(fullname, _InterfaceLoader(), is_package=True)

    @staticmethod
    def _kind_spec(fullname: str, package: str, kind: str) -> "ModuleSpec | None":
        if kind not in _KINDS:
            return None
        from importlib.machinery import ModuleSpec

        from embedded_ros2.interfaces.registry import names_in

        return ModuleSpec(fullname, _InterfaceLoader()) if names_in(package, kind) else None

    @staticmethod
    def _is_interface_package(name: str) -> bool:
        if os.path.isdir(os.path.join(_SHARE_DIRECTORY, name)):
            return True
        if not name.endswith(_INTERFACE_SUFFIXES):
            return False
        from embedded_ros2.ament import PackageNotFoundError
        from embedded_ros2.interfaces.registry import names_in

        try:
            return any(names_in(name, kind) for kind in _KINDS)
        except PackageNotFoundError:
            return False

    def _is_real_ros_importable(self) -> bool:
        loaded = sys.modules.get("rclpy")
        if loaded is not None:
            return not str(getattr(loaded, "__file__", "")).startswith(_PROVIDED_DIRECTORY)
        others = (finder for finder in sys.meta_path if finder is not self)
        return any(finder.find_spec("rclpy", None) is not None for finder in others if hasattr(finder, "find_spec"))


class _InterfaceLoader(Loader):
    """Makes the modules of interface packages: ``std_msgs`` and below it ``std_msgs.msg``."""

    def create_module(self, spec: "ModuleSpec") -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        from embedded_ros2.interfaces.modules import fill_module

        fill_module(module)


def install() -> None:
    """Puts the finder at the end of ``sys.meta_path``, once."""
    if not any(isinstance(finder, EmbeddedFinder) for finder in sys.meta_path):
        sys.meta_path.append(EmbeddedFinder())


def _refuse_unbuilt_package(name: str) -> None:
    """A real rclpy is in use, which knows the interfaces of a workspace only once it is built: says how."""
    if name in _PROVIDED or os.path.isdir(os.path.join(_SHARE_DIRECTORY, name)):
        return
    distribution = os.environ.get("ROS_DISTRO", "unknown")
    raise UnbuiltPackageError(
        f"a real ROS 2 ({distribution}) is in use, and {name} is not built for it. Build the workspace (make ros2) and "
        "source its install/setup.bash, or take the directories of ROS 2 out of PYTHONPATH to use the embedded one.",
        name=name,
    )


def _foreign_rclpy() -> tuple[str, str] | None:
    """Directory and Python version of an rclpy that the sourced ROS 2 has for another interpreter."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        for library in ("lib", os.path.join("local", "lib")):
            directory = os.path.join(prefix, library)
            if not os.path.isdir(directory):
                continue
            for version in sorted(os.listdir(directory)):
                for packages in ("site-packages", "dist-packages"):
                    found = os.path.join(directory, version, packages, "rclpy")
                    if version.startswith("python3.") and version != own and os.path.isdir(found):
                        return found, version
    return None


def _mismatch_text(directory: str, version: str) -> str:
    distribution = os.environ.get("ROS_DISTRO", "unknown")
    return (
        f"ROS 2 ({distribution}) is sourced, but its rclpy is for {version} ({directory}) and this is Python "
        f"{sys.version_info.major}.{sys.version_info.minor} ({sys.executable})"
    )


def _warn_of_foreign_ros() -> None:
    found = _foreign_rclpy()
    if found:
        import warnings

        warnings.warn(
            f"{_mismatch_text(*found)}: the embedded ROS 2 is used. Run {found[1]} to use the real one.", stacklevel=2
        )


def _refuse_foreign_rclpy(extension: str) -> None:
    """A real rclpy is being imported and has no extension module for this interpreter: says why."""
    found = _foreign_rclpy()
    if found:
        raise ImportError(
            f"{_mismatch_text(*found)}. Run {found[1]} to use it, or take its directories out of PYTHONPATH to use the "
            "embedded ROS 2.",
            name=extension,
        )
