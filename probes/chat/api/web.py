"""Our side of HTTP: only permitted addresses, no redirect elsewhere, bounded answers, each failure its right fault."""

from __future__ import annotations

import asyncio
import errno
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import SplitResult, quote, quote_plus, urljoin, urlsplit

import aiohttp

from probes.chat.api import sse, templates
from probes.chat.api.interface import ApiLimits, Request
from probes.chat.api.paths import first
from probes.chat.api.reading import document_of
from probes.clock import Clock
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault

OURS = frozenset({400, 401, 403, 405, 406, 411, 413, 414, 415, 422})  # we asked wrongly, or are not let in
PATIENCE = frozenset({429, 503})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
OUR_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENETDOWN, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
KEEP_S = 4.0  # an idle connection: servers drop theirs after 5 s, and what is sent just then is lost
SCHEMES = {"ws": "http", "wss": "https"}


class Gone(FarEndFault):
    """The far end no longer knows the conversation (404, 410)."""


class Broken(FarEndFault):
    """The connection could not be made, or broke."""


@dataclass(frozen=True)
class Answer:
    """One answer, complete. Times are monotonic seconds."""

    status: int
    kind: str  # the media type
    body: bytes
    at: float  # when its last byte came

    def document(self) -> Any:
        """Returns its JSON; None of an empty body.

        Raises:
            FarEndFault: it is no JSON.
        """
        try:
            return document_of(self.body) if self.body.strip() else None
        except ValueError as error:
            raise FarEndFault("the interface's answer is not JSON") from error


@lru_cache(maxsize=1024)
def origin(url: str) -> tuple[str, str, int]:
    """Returns scheme, host and port, with a WebSocket's as those of the HTTP it begins as.

    Raises:
        FarEndFault: it is no address.
    """
    try:
        parts: SplitResult = urlsplit(url)
        scheme = SCHEMES.get(parts.scheme, parts.scheme)
        return scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}[scheme]
    except (ValueError, KeyError) as error:
        raise FarEndFault("the interface leads to something that is no address") from error


class Web:
    """One session's HTTP client: cookies, variables and secrets of its own; connections may be shared."""

    def __init__(
        self,
        url: str,
        addresses: Mapping[str, str],
        limits: ApiLimits,
        clock: Clock,
        connector: aiohttp.BaseConnector | None,
        note: Callable[..., None],
    ) -> None:
        """Makes it; nothing is opened yet.

        Args:
            url: the target's: relative addresses start there.
            addresses: every address that the policy was asked about; no other origin is ever contacted.
            limits: of the profile.
            clock: ours.
            connector: shared connections; None makes one.
            note: writes a row into the transcript.
        """
        self.url, self.limits, self.clock = url, limits, clock
        self.values: dict[str, Any] = {}
        self.secrets: tuple[str, ...] = ()  # as they may be written, the longest first
        self._origins = {origin(address) for address in addresses.values()}
        self._note = note
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._on_sent)
        trace.on_request_chunk_sent.append(self._on_sent)
        trace.on_request_redirect.append(self._on_redirect)  # of WebSockets: nothing else follows any
        self.session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S),
            connector_owner=connector is None,
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # a host may be an address; the jar lives as long as the session
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_s),
            trace_configs=[trace],
            read_bufsize=2**16,
        )
        self._patience = limits.retry_s

    async def close(self) -> None:
        """Frees everything."""
        await self.session.close()

    def learn_secrets(self, template: Any) -> None:
        """Reads the environment variables that a profile names.

        Raises:
            HarnessFault: one is not set.
        """
        found = templates.secrets_of(template)
        self.values |= found
        for value in found.values():
            self.keep_secret(value)

    def keep_secret(self, value: str) -> None:
        """Keeps a value out of the evidence from now on; one that is too short would take ordinary words with it."""
        if len(value) >= templates.SHORTEST_SECRET:
            ways = {*self.secrets, value, quote(value, safe=""), quote(value), quote_plus(value)}
            self.secrets = tuple(sorted(ways, key=len, reverse=True))

    def scrub(self, value: Any) -> Any:
        """Returns ``value`` without any secret in it."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            for one in self.secrets:
                value = value.replace(one, "***")
            return value
        if isinstance(value, Mapping):
            return {self.scrub(key): self.scrub(inner) for key, inner in value.items()}
        return [self.scrub(inner) for inner in value] if isinstance(value, list | tuple) else value

    def address(self, path: str) -> str:
        """Returns the whole address of a path of the profile, filled in."""
        return self.permitted(urljoin(self.url, templates.fill_url(path, self.values)) if path else self.url)

    def permitted(self, url: str) -> str:
        """Returns ``url`` if it may be opened.

        Raises:
            FarEndFault: it leads to a host that neither target nor profile names.
        """
        if origin(url) not in self._origins:
            host = urlsplit(url).hostname
            raise FarEndFault(f"the interface leads to another host ({host}); name it in also")
        return url

    async def ask(
        self,
        request: Request,
        *,
        sent: asyncio.Future[float] | None = None,
        on_event: Callable[[sse.Sent], None] | None = None,
    ) -> Answer:
        """Makes a request, waits out 429 and 503 where told to, and saves from the answer what the profile wants.

        Args:
            request: the profile's; its templates are filled with ``values``.
            sent: is set to the moment when the request had gone out.
            on_event: takes the events of an answer that is a stream of them.

        Raises:
            FarEndFault: not reached, refused, too slow, too large, or not JSON where something is to be saved.
            HarnessFault: we asked wrongly or are not let in, or our own network failed.
        """
        while True:
            async with self.begin(request, sent=sent) as response:
                streamed = response.status < 400 and response.content_type in (sse.EVENTS, *sse.LINES)
                body = b""
                if on_event is not None and streamed:
                    async for event in sse.events(response, self.limits.max_bytes):
                        on_event(event)
                else:
                    body = await self.body(response)
                answer = Answer(response.status, response.content_type, body, self.clock.monotonic())
                wait = self._wait(response)
            if wait is None:
                break
            self._note("patience", status=answer.status, seconds=wait)
            await asyncio.sleep(wait)
        self.judge(answer.status, request)
        if request.save or request.save_secret:
            self.save(answer.document(), request)
        return answer

    def save(self, document: Any, request: Request) -> None:
        """Keeps the values of an answer that the profile names; what is not there leaves the former value."""
        for names, hidden in ((request.save, False), (request.save_secret, True)):
            for name, path in names.items():
                value = first(document, path)
                if value is not None:
                    self.values[name] = value
                    if hidden:
                        self.keep_secret(str(value))

    @asynccontextmanager
    async def begin(
        self,
        request: Request,
        *,
        sent: asyncio.Future[float] | None = None,
        endless: bool = False,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Sends a request and yields the response, its body not yet read. ``endless``: only its head has a limit."""
        url, method = self.address(request.path), request.method
        headers = {name: str(templates.fill(value, self.values)) for name, value in request.headers.items()} | dict(
            extra
        )
        body: dict[str, Any] = {}
        if request.body is not None:
            filled = templates.fill(request.body, self.values)
            body = {"data": filled} if request.form or isinstance(filled, str) else {"json": filled}
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(self.limits.request_s) as limit:
                for _ in range(MOST_REDIRECTS):
                    context = SimpleNamespace(sent=sent)
                    async with self.session.request(
                        method, url, headers=headers, allow_redirects=False, trace_request_ctx=context, **body
                    ) as response:
                        took = self.clock.monotonic() - began
                        path = urlsplit(url).path
                        self._note("http", method=method, path=path, status=response.status, took=round(took, 4))
                        if response.status not in REDIRECTS:
                            if endless:
                                limit.reschedule(None)
                            yield response
                            return
                        url = self.permitted(urljoin(url, response.headers.get("Location", "")))
                        if response.status in (301, 302, 303) and method != "GET":
                            method, body = "GET", {}
                raise FarEndFault(f"the interface redirects more than {MOST_REDIRECTS} times")
        except TimeoutError as error:
            raise FarEndFault(f"the interface did not answer within {self.limits.request_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise fault(error) from error

    async def body(self, response: aiohttp.ClientResponse) -> bytes:
        """Reads an answer to its end.

        Raises:
            FarEndFault: it is larger than permitted.
        """
        parts, size = [], 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self.limits.max_bytes:
                response.close()
                raise FarEndFault(f"the interface's answer is larger than {self.limits.max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def judge(self, status: int, request: Request) -> None:
        """Raises the fault that a status stands for, if it does.

        Raises:
            Gone: 404, 410.
            FarEndFault: any other failure of theirs.
            HarnessFault: we asked wrongly or are not let in.
        """
        if status < 400:
            return
        path = urlsplit(urljoin(self.url, templates.blank_url(request.path))).path
        what = f"HTTP status {status} to {request.method} {path}"
        if status in OURS:
            raise HarnessFault(
                f"the interface refuses what we ask ({what}): correct the profile, or what we log in with"
            )
        if status in (404, 410):
            raise Gone(f"the interface does not know that ({what})")
        if status in PATIENCE:
            raise FarEndFault(f"the interface has no room for us ({what}), even after {self.limits.retry_s:g} s")
        raise FarEndFault(f"the interface failed ({what})")

    def _wait(self, response: aiohttp.ClientResponse) -> float | None:
        """Returns how long to wait before asking again; None: do not."""
        said = response.headers.get("Retry-After", "")
        if response.status not in PATIENCE or (response.status == 503 and not said):
            return None
        try:
            seconds = float(said) if said.strip().isdecimal() else 1.0 if not said else self._until(said)
        except (ValueError, TypeError):
            seconds = 1.0
        seconds = max(0.1, seconds)
        if seconds > self._patience:
            return None
        self._patience -= seconds
        return seconds

    def _until(self, date: str) -> float:
        return (parsedate_to_datetime(date) - self.clock.utc()).total_seconds()

    async def _on_sent(self, _session: Any, context: Any, _what: Any) -> None:
        waiting = getattr(context.trace_request_ctx, "sent", None)
        if waiting is not None and not waiting.done():
            waiting.set_result(self.clock.monotonic())

    async def _on_redirect(self, _session: Any, _context: Any, what: aiohttp.TraceRequestRedirectParams) -> None:
        self.permitted(urljoin(str(what.url), what.response.headers.get("Location", "")))


def fault(error: Exception) -> ProbeFault:
    """Says whose fault a failure of the network is."""
    if isinstance(error, ProbeFault):
        return error
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError | aiohttp.ClientSSLError):
        return FarEndFault("the interface's certificate is not valid for its name, or its TLS is broken")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Broken("the interface could not be reached: no connection in time")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Broken(f"the interface could not be reached: its name {error.host} is not known")
    if isinstance(error, aiohttp.WSServerHandshakeError):
        what = f"the interface opens no WebSocket (HTTP status {error.status})"
        return (
            HarnessFault(f"{what}: correct the profile, or what we log in with")
            if error.status in OURS
            else (FarEndFault(what))
        )
    if isinstance(error, OSError) and error.errno in OUR_ERRORS:
        return HarnessFault(f"our own network failed: {errno.errorcode.get(error.errno or 0, error.errno)}")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return Broken("the interface broke off the connection")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Broken(f"the interface could not be reached: {error.os_error.strerror or error.os_error}")
    if isinstance(error, aiohttp.InvalidURL | ValueError) and not isinstance(error, json.JSONDecodeError):
        return HarnessFault(f"the profile makes no proper request: {str(error)[:200]}")
    return FarEndFault(f"the interface answered what is no HTTP ({type(error).__name__})")
