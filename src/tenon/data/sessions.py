"""Names of sessions as small numbers, for rows of fixed size."""

from __future__ import annotations

import json
from pathlib import Path

from tenon.data.mapped_array import StorageError, write_beside


class SessionNames:
    """Numbers of sessions by name, in a small JSON file."""

    def __init__(self, path: Path):
        self._path = path
        try:
            names = json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise StorageError(
                f"{path}: is damaged: {error}. It is the list of the sessions' names: restore it"
            ) from error
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(names)}

    def find(self, name: str) -> int | None:
        return self._numbers.get(name)

    def name(self, number: int) -> str:
        """Raises StorageError for a number that the list does not have."""
        if number >= len(self._numbers):
            raise StorageError(
                f"{self._path}: has {len(self._numbers)} names, that of session {number} is missing: restore it"
            )
        return list(self._numbers)[number]

    def number(self, name: str) -> int:
        if name not in self._numbers:
            names = [*self._numbers, name]
            write_beside(self._path, json.dumps(names).encode())
            self._numbers[name] = len(names) - 1
        return self._numbers[name]
