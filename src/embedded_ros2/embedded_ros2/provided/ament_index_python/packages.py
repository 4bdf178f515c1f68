"""Where packages are: the functions of the real ``ament_index_python.packages`` over the embedded index."""

from pathlib import Path

from embedded_ros2.ament import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
    get_packages_with_prefixes,
)

__all__ = [
    "PackageNotFoundError",
    "get_package_prefix",
    "get_package_share_directory",
    "get_package_share_path",
    "get_packages_with_prefixes",
]


def get_package_share_path(package_name: str) -> Path:
    """The share directory of a package, as a path. Raises PackageNotFoundError."""
    return Path(get_package_share_directory(package_name))
