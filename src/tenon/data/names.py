"""Names (of sessions, of classifiers) as small numbers, for rows of fixed size."""

from __future__ import annotations

import json
from pathlib import Path

from tenon.data.mapped_array import StorageError, write_beside


class Names:
    """Numbers by name, in order of their first use, in a small JSON file."""

    def __init__(self, path: Path):
        self._path = path
        try:
            names = json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise StorageError(f"{path}: is damaged: {error}. It is a list of names: restore it") from error
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(names)}

    def find(self, name: str) -> int | None:
        return self._numbers.get(name)

    def name(self, number: int) -> str:
        """Raises StorageError for a number that the list does not have."""
        if number >= len(self._numbers):
            raise StorageError(
                f"{self._path}: has {len(self._numbers)} names, that of number {number} is missing: restore it"
            )
        return list(self._numbers)[number]

    def number(self, name: str) -> int:
        """The number of a name, a new one at its first use."""
        if name not in self._numbers:
            names = [*self._numbers, name]
            write_beside(self._path, json.dumps(names).encode())
            self._numbers[name] = len(names) - 1
        return self._numbers[name]
