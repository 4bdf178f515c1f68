"""Which pictures a step of training sees: as many of each domain, and of each label within it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages

Rows = NDArray[np.int64]


class BatchSampler:
    """Draws positions of pictures in ``data``, of the domains ``names`` alone, and among ``only``, where it is given.

    balanced: each batch holds pairs, one inserted and one not inserted picture of the same domain; domains take turns
    in random order. Otherwise pictures come as they lie in the data. Raises ConfigurationError for a domain that lacks
    one of the labels.
    """

    def __init__(
        self,
        data: LabelledImages,
        names: Sequence[str],
        batch_size: int,
        rng: np.random.Generator,
        *,
        balanced: bool,
        only: Rows | None = None,
    ):
        self._rng, self._batch_size, self._balanced = rng, batch_size, balanced
        allowed = np.ones(len(data), np.bool_) if only is None else np.isin(np.arange(len(data)), only)
        self._all = data.rows(names)[allowed[data.rows(names)]]
        self._inserted, self._not_inserted = [], []
        for name in names:
            rows = data.rows([name])[allowed[data.rows([name])]]
            inserted = data.label[rows]
            if balanced and (inserted.all() or not inserted.any()):
                missing = "not inserted" if inserted.all() else "inserted"
                raise ConfigurationError(
                    f"{name}: none of its {len(rows)} pictures is {missing}: collect more of it, or leave it out"
                )
            self._inserted.append(rows[inserted])
            self._not_inserted.append(rows[~inserted])
        self._turns: list[int] = []

    def draw(self) -> Rows:
        """(batch_size,) positions, with replacement."""
        if not self._balanced:
            return self._rng.choice(self._all, self._batch_size)
        domains = [self._next_domain() for _ in range(self._batch_size // 2)]
        pairs = [(self._one(self._inserted[d]), self._one(self._not_inserted[d])) for d in domains]
        return np.array(pairs, np.int64).ravel()

    def _next_domain(self) -> int:
        if not self._turns:
            self._turns = self._rng.permutation(len(self._inserted)).tolist()
        return self._turns.pop()

    def _one(self, rows: Rows) -> int:
        return int(rows[self._rng.integers(len(rows))])
