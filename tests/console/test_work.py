"""Page work that takes long is in nobody's way: not in that of a call to the robot, nor of a picture."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from tenon.console.config import PictureConfig
from tenon.console.pictures import PictureSlot
from tenon.console.web import context
from tenon.console.web.routes import stream_pictures
from tenon.console.web.work import do_heavy

PATIENCE_S = 5.0
MANY = 40
"""More than the threads that asyncio has by default: 32 at most."""


class FullError(Exception):
    """Ends a stream of pictures that has given one."""


class Viewer:
    """A browser's socket that has enough after one picture."""

    async def send_bytes(self, data: bytes) -> None:
        raise FullError


@contextmanager
def threads_filled() -> Iterator[None]:
    """While all threads of asyncio's own pool, and the one of heavy work, are busy."""
    done = threading.Event()
    work = [asyncio.ensure_future(asyncio.to_thread(done.wait, 2 * PATIENCE_S)) for _ in range(MANY)]
    heavy = asyncio.ensure_future(do_heavy(lambda: done.wait(2 * PATIENCE_S)))
    try:
        yield
    finally:
        done.set()
        del work, heavy


def run(what: Awaitable[object]) -> None:
    async def wait() -> None:
        with threads_filled():
            await asyncio.sleep(0.0)
            await asyncio.wait_for(what, PATIENCE_S)

    asyncio.run(wait())


def test_robot_answers_while_pages_read_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    browser = SimpleNamespace(client=nullcontext())
    monkeypatch.setattr(context, "ui", SimpleNamespace(context=browser, notify=lambda text, **_: said.append(text)))
    run(context.ask(lambda: "paused", what="session"))
    assert said == ["session: paused"]


def test_pictures_come_while_pages_read_recordings() -> None:
    slot = PictureSlot(PictureConfig())
    slot.put(lambda: np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(FullError):
        run(stream_pictures(Viewer(), slot, period_s=0.0))  # type: ignore[arg-type] - all that is asked of it


def test_heavy_work_is_done_one_after_the_other() -> None:
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threading.Event().wait(0.02)
        running -= 1

    async def both() -> None:
        await asyncio.gather(do_heavy(work), do_heavy(work), do_heavy(work))

    asyncio.run(both())
    assert most == 1
