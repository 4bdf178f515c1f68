"""Pictures on their way to browsers: the newest only, encoded once, one under way at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import ConsoleConfig, PictureConfig
from tenon.console.model import ConsoleModel
from tenon.console.pictures import PictureSlot, encode_jpeg
from tenon.console.web.context import Context
from tenon.console.web.routes import add_routes
from tenon.data.decode import DecodeError

ADDRESS = "/picture/camera/image_raw"
CONFIG = PictureConfig(width_px=64)


def picture(value: int, width: int = 32) -> np.ndarray:
    return np.full((24, width, 3), value, np.uint8)


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


@dataclass(frozen=True, slots=True)
class Served:
    """The place of one camera's pictures, and who looks at them."""

    slot: PictureSlot
    client: TestClient


@pytest.fixture
def served() -> Iterator[Served]:
    config = ConsoleConfig(picture=CONFIG)
    model, app = ConsoleModel(config), FastAPI()
    teleop = load_named(TeleopConfig, ConfigKind.TELEOP, "console")
    add_routes(app, Context(config, teleop, model, operator=None))  # type: ignore[arg-type] - it is not asked
    with TestClient(app) as client:
        yield Served(model.picture("camera/image_raw"), client)


def test_only_the_newest_picture_is_kept_and_is_encoded_once() -> None:
    slot, encoded = PictureSlot(CONFIG), []

    def of(value: int) -> np.ndarray:
        encoded.append(value)
        return picture(value)

    assert slot.jpeg() is None
    for value in range(100):
        slot.put(lambda value=value: of(value))
    first, second = slot.jpeg(), slot.jpeg()
    assert first is second
    assert first is not None
    assert first.number == 100
    assert encoded == [99]
    assert abs(int(decoded(first.data)[12, 16, 0]) - 99) < 4


def test_wide_pictures_are_made_smaller_and_keep_their_colours_and_shape() -> None:
    rgb = np.zeros((60, 128, 3), np.uint8)
    rgb[:, :, 0] = 200
    shown = decoded(encode_jpeg(rgb, CONFIG))
    assert shown.shape == (30, 64, 3)
    assert shown[15, 32].tolist() == pytest.approx([200, 0, 0], abs=6)


def test_slow_viewer_gets_the_newest_picture_and_no_backlog(served: Served) -> None:
    slot = served.slot
    slot.put(lambda: picture(10))
    with served.client.websocket_connect(ADDRESS) as socket:
        assert abs(int(decoded(socket.receive_bytes())[12, 16, 0]) - 10) < 4
        for value in (50, 100, 200):  # they come while the viewer is still busy with the first
            slot.put(lambda value=value: picture(value))
        socket.send_text("next")
        assert abs(int(decoded(socket.receive_bytes())[12, 16, 0]) - 200) < 4
        socket.send_text("next")
        assert "age_s" in socket.receive_json()  # after a second without another
        slot.put(lambda: picture(30))
        socket.send_text("next")
        assert abs(int(decoded(socket.receive_bytes())[12, 16, 0]) - 30) < 4


def test_picture_that_cannot_be_decoded_is_told_of_and_the_next_good_one_is_shown(served: Served) -> None:
    problem = "image encoding 'yuv422' is not supported"

    def fail() -> np.ndarray:
        raise DecodeError(problem)

    served.slot.put(fail)
    with served.client.websocket_connect(ADDRESS) as socket:
        assert socket.receive_json() == {"problem": problem}
        served.slot.put(lambda: picture(50))
        socket.send_text("next")
        assert abs(int(decoded(socket.receive_bytes())[12, 16, 0]) - 50) < 4
