"""What the console serves beside its pages: stop, pictures, the on-screen control.

They need no state of a page, so that they work before a reloaded page has found its own connection again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from tenon.configuration.teleop import TeleopConfig
from tenon.console.drive import Punctuality, parse_message
from tenon.console.operator import Operator, OperatorError
from tenon.console.pictures import PictureSlot
from tenon.console.web.context import Context
from tenon.console.web.work import encode

STOP_PATH = "/stop"
PICTURE_PATH = "/picture"
DRIVE_PATH = "/drive"
SILENT_S = 1.0
"""A viewer is told that there is no picture once the newest is as old as this."""
LOOK_S = 0.01
LATE = "late"
"""The receipt of a message that moved nothing."""


def add_routes(app: FastAPI, context: Context) -> None:
    config, model, operator = context.config, context.model, context.operator
    stopping = ThreadPoolExecutor(1, thread_name_prefix="stop")  # no other call can be in its way

    @app.post(STOP_PATH)
    async def stop() -> JSONResponse:
        try:
            said = await asyncio.get_running_loop().run_in_executor(stopping, operator.stop)
        except OperatorError as error:
            return JSONResponse({"done": False, "said": str(error)})
        return JSONResponse({"done": True, "said": said})

    @app.websocket(f"{PICTURE_PATH}/{{camera:path}}")
    async def pictures(socket: WebSocket, camera: str) -> None:
        if camera not in model.cameras():
            await socket.close(reason=f"there is no camera {camera}"[:120])
            return
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            await stream_pictures(socket, model.picture(camera), 1.0 / config.picture.rate_hz)

    @app.websocket(DRIVE_PATH)
    async def drive(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            await serve_drive(socket, context.teleop, operator)


async def stream_pictures(socket: WebSocket, slot: PictureSlot, period_s: float) -> None:
    """Sends the newest picture, then waits until the viewer has shown it: nothing queues, however slow the viewer."""
    loop = asyncio.get_running_loop()
    shown = 0
    while True:
        sent_s = loop.time()
        if slot.number == shown:
            if (slot.age_s() or 0.0) < SILENT_S:
                await asyncio.sleep(LOOK_S)
                continue
            await socket.send_text(json.dumps({"age_s": round(slot.age_s() or 0.0, 1)}))
        else:
            shown = await _send_newest(socket, slot)
        await socket.receive_text()
        await asyncio.sleep(max(0.0, sent_s + period_s - loop.time()))


async def _send_newest(socket: WebSocket, slot: PictureSlot) -> int:
    """Returns the picture's number. One that cannot be shown is told of instead, and then the next one waits."""
    number = slot.number
    try:
        jpeg = await encode(slot.jpeg)
    except ValueError as error:
        await socket.send_text(json.dumps({"problem": str(error)}))
        await asyncio.sleep(SILENT_S)
        return number
    assert jpeg is not None  # there is a number
    await socket.send_bytes(jpeg.data)
    return jpeg.number


async def serve_drive(socket: WebSocket, teleop: TeleopConfig, operator: Operator) -> None:
    """One twist for each message that comes in time; the browser waits for their receipts, which say what was late."""
    scales = (teleop.speed_m_s,) * 3 + (teleop.turn_rad_s,) * 3
    punctuality = Punctuality()
    while True:
        message = parse_message(await socket.receive_text())
        if message is None or not punctuality.is_in_time(message.sent_s, time.monotonic()):
            await socket.send_text(LATE)
            continue
        if message.deflection is not None:
            operator.drive([part * scale for part, scale in zip(message.deflection, scales, strict=True)])
        await socket.send_text("")
