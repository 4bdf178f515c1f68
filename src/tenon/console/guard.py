"""Who may use the console: by host name and origin always, by a token beyond this machine.

A page of any other site that the operator has open could otherwise send commands to a console on loopback, with or
without DNS rebinding: requests for another host name, and requests that come from another origin, are refused.
"""

from __future__ import annotations

import hmac
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tenon.configuration import ConfigurationError
from tenon.console.config import ConsoleConfig, is_loopback

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_VARIABLE = "TENON_CONSOLE_TOKEN"
"""Environment variable with the token, where it shall stay the same from one start to the next."""
TOKEN_PARAMETER = "token"
TOKEN_LENGTH_MIN = 16
TOKEN_CHARACTERS = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""Those of a bearer token (RFC 6750); a cookie holds them as they are."""
TOKEN_BYTES = 24
COOKIE = "tenon_console_token"
EVERYWHERE = ("0.0.0.0", "::")
POLICY_VIOLATION = 1008
"""Code with which a websocket is closed that is not allowed."""


def token_for(config: ConsoleConfig, environment: Mapping[str, str]) -> str | None:
    """None on loopback, else the environment's, else a new one.

    Raises ConfigurationError for one that is short, or holds what an address or a cookie cannot.
    """
    if not config.is_exposed:
        return None
    given = environment.get(TOKEN_VARIABLE)
    if given is None:
        return secrets.token_urlsafe(TOKEN_BYTES)
    if len(given) < TOKEN_LENGTH_MIN:
        raise ConfigurationError(f"{TOKEN_VARIABLE} has {len(given)} characters, {TOKEN_LENGTH_MIN} or more are needed")
    if TOKEN_CHARACTERS.fullmatch(given) is None:
        raise ConfigurationError(
            f"{TOKEN_VARIABLE} may hold letters, digits and . _ ~ + / = - only: choose another one"
        )
    return given


def address(config: ConsoleConfig, port: int, token: str | None) -> str:
    """What an operator opens: by this machine's name where the console listens on all its addresses."""
    host = socket.gethostname() if config.host in EVERYWHERE else config.host
    query = "" if token is None else f"/?{urlencode({TOKEN_PARAMETER: token})}"
    return f"http://[{host}]:{port}{query}" if ":" in host else f"http://{host}:{port}{query}"


class Guard:
    """ASGI application around another. token: None where the console listens on loopback only."""

    def __init__(self, app: Application, *, token: str | None) -> None:
        self.app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        refusal = self._refusal(headers, query)
        if refusal:
            await _refuse(scope, receive, send, refusal)
        elif self._token is not None and TOKEN_PARAMETER in query and scope["type"] == "http":
            await self._keep_token(scope, query, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, headers: dict[str, str], query: dict[str, str]) -> str:
        """Why a request is not served; empty where it is."""
        host = headers.get("host", "")
        if self._token is None and not is_loopback(_name_of(host)):
            return f"this console serves this machine only, not {host!r}: start it with --host to expose it"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"a page of {origin} must not command this robot"
        if self._token is None or self._is_token(query.get(TOKEN_PARAMETER)) or self._is_token(_cookie(headers)):
            return ""
        return f"a token is needed: open the address that `tenon console` printed, with ?{TOKEN_PARAMETER}=..."

    def _is_token(self, given: str | None) -> bool:
        assert self._token is not None
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())

    async def _keep_token(self, scope: Scope, query: dict[str, str], send: Send) -> None:
        """Turns the token in the address into a cookie, so that it is in no history, picture or log of a proxy."""
        rest = urlencode({key: value for key, value in query.items() if key != TOKEN_PARAMETER})
        cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        where = f"/{scope['path'].lstrip('/')}" + (f"?{rest}" if rest else "")
        headers = [(b"location", where.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, receive: Receive, send: Send, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason[:120]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})


def _name_of(host: str) -> str:
    """The name in a Host header, without port."""
    return urlsplit(f"//{host}").hostname or ""


def _cookie(headers: dict[str, str]) -> str | None:
    """Cookies are shared by all ports of a host, so others may stand beside it, of any form."""
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), None)
