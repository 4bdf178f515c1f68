"""Who is let in."""

from __future__ import annotations

import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from tenon.configuration import ConfigurationError
from tenon.console.config import ConsoleConfig, is_loopback
from tenon.console.guard import TOKEN_VARIABLE, Guard, address, token_for

TOKEN = "a-token-of-some-length"
LOCAL, EXPOSED = "http://127.0.0.1:8090", "http://robot.lab:8090"
LOCAL_SOCKET, EXPOSED_SOCKET = "ws://127.0.0.1:8090/drive", "ws://robot.lab:8090/drive"


async def _page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the page")


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("welcome")
    await socket.close()


def browser(base_url: str, token: str | None) -> TestClient:
    app = Starlette(
        routes=[Route("/", _page), Route("/stop", _page, methods=["POST"]), WebSocketRoute("/drive", _socket)]
    )
    return TestClient(Guard(app, token=token), base_url=base_url)


def test_this_machine_needs_no_token() -> None:
    assert browser(LOCAL, None).get("/").text == "the page"
    assert browser("http://localhost:8090", None).get("/").text == "the page"


def test_name_that_was_rebound_to_loopback_is_refused() -> None:
    answer = browser("http://evil.example:8090", None).get("/")
    assert answer.status_code == 403
    assert "evil.example" in answer.text


@pytest.mark.parametrize("token", [None, TOKEN])
def test_page_of_another_site_cannot_command_the_robot(token: str | None) -> None:
    client = browser(LOCAL, token)
    headers = {"origin": "http://evil.example"}
    assert client.post(f"/stop?token={TOKEN}", headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{LOCAL_SOCKET}?token={TOKEN}", headers=headers):
        pass


def test_page_of_this_console_may() -> None:
    client = browser(LOCAL, None)
    assert client.post("/stop", headers={"origin": LOCAL}).text == "the page"
    with client.websocket_connect(LOCAL_SOCKET, headers={"origin": LOCAL}) as socket:
        assert socket.receive_text() == "welcome"


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", f"?token={TOKEN}x", f"?other={TOKEN}"])
def test_exposed_console_refuses_whoever_has_no_token(query: str) -> None:
    client = browser(EXPOSED, TOKEN)
    answer = client.get(f"/{query}")
    assert answer.status_code == 403
    assert "tenon console" in answer.text
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{EXPOSED_SOCKET}{query}"):
        pass


def test_token_in_the_address_becomes_a_cookie_and_leaves_the_address() -> None:
    client = browser(EXPOSED, TOKEN)
    answer = client.get(f"/?token={TOKEN}&page=2", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?page=2")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.get("/").text == "the page"
    with client.websocket_connect(EXPOSED_SOCKET) as socket:
        assert socket.receive_text() == "welcome"


def test_address_with_two_slashes_does_not_lead_to_another_site() -> None:
    answer = browser(EXPOSED, TOKEN).get(f"{EXPOSED}//evil.example/?token={TOKEN}", follow_redirects=False)
    assert answer.headers["location"] == "/evil.example/"


def test_token_is_required_exactly_where_others_can_reach_the_console() -> None:
    assert token_for(ConsoleConfig(host="127.0.0.1"), {}) is None
    made = token_for(ConsoleConfig(host="0.0.0.0"), {})
    assert made is not None
    assert made != token_for(ConsoleConfig(host="0.0.0.0"), {})
    assert token_for(ConsoleConfig(host="10.0.0.7"), {TOKEN_VARIABLE: TOKEN}) == TOKEN
    with pytest.raises(ConfigurationError, match="16 or more"):
        token_for(ConsoleConfig(host="::"), {TOKEN_VARIABLE: "short"})


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False), ("lab", False)],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_cookie_of_another_tool_on_this_host_does_not_shut_the_operator_out() -> None:
    client = browser(EXPOSED, TOKEN)
    others = '{"theme": "dark", "list": [1, 2]}'
    assert client.get("/", headers={"cookie": f"settings={others}; tenon_console_token={TOKEN}; x"}).text == "the page"
    assert client.get("/", headers={"cookie": f"settings={others}"}).status_code == 403


@pytest.mark.parametrize("token", ["a token with blanks in it", "semicolon;in-the-middle", "hash#and&ampersand"])
def test_token_that_no_cookie_or_address_holds_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="letters, digits and"):
        token_for(ConsoleConfig(host="0.0.0.0"), {TOKEN_VARIABLE: token})


def test_token_of_base64_survives_address_and_cookie() -> None:
    token = "q+8/Zb1nYxk3wQ0+7Pa1Kw=="
    shown = address(ConsoleConfig(host="robot.lab"), 8090, token)
    assert shown.startswith("http://robot.lab:8090/?token=")
    client = browser(EXPOSED, token)
    assert client.get(shown.removeprefix("http://robot.lab:8090")).text == "the page"


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "http://127.0.0.1:7"), ("::1", "http://[::1]:7"), ("0.0.0.0", f"http://{socket.gethostname()}:7")],
)
def test_address_is_one_that_a_browser_opens(host: str, shown: str) -> None:
    assert address(ConsoleConfig(host=host), 7, None) == shown
