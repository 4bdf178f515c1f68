"""The build backend: setuptools, and the ``.pth`` file that installs the import finder at interpreter start.

setuptools has no way to put a file beside the package that holds for wheels and editable installs alike, so it is
added to either wheel once setuptools has built it. Only the hooks of PEP 517 and PEP 660 are relied upon.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_PTH_NAME = "embedded_ros2.pth"
_PTH_LINE = b"import embedded_ros2.finder; embedded_ros2.finder.install()\n"


def build_wheel(
    wheel_directory: str, config_settings: dict[str, str] | None = None, metadata_directory: str | None = None
) -> str:
    """Hook of PEP 517."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    _add_pth(Path(wheel_directory, name))
    return name


def build_editable(
    wheel_directory: str, config_settings: dict[str, str] | None = None, metadata_directory: str | None = None
) -> str:
    """Hook of PEP 660."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _add_pth(Path(wheel_directory, name))
    return name


def _add_pth(wheel: Path) -> None:
    """Rewrites ``wheel`` with the .pth file at its root and a line for it in RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(_PTH_LINE).digest()).rstrip(b"=").decode()
    record_line = f"{_PTH_NAME},sha256={digest},{len(_PTH_LINE)}\n".encode()
    rewritten = wheel.with_suffix(".tmp")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(rewritten, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                target.writestr(_PTH_NAME, _PTH_LINE)
                content = record_line + content
            target.writestr(entry, content)
    shutil.move(rewritten, wheel)
