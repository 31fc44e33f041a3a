"""Interface profiles: how a chat is held over one kind of interface. Data, not code: see ``docs/api-chat.md``.

Exactly one of ``websocket``, ``rest``, ``directline`` and ``socketio`` says how things travel; ``read`` says what what
comes in means. Addresses are relative to the target's ``url`` and stay on its host, but for those named in ``also``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, Field, model_validator

from probes.chat.api import templates
from probes.chat.api.parts import PartKind
from probes.chat.api.paths import JsonPath
from probes.chat.notices import Author, Notice, NoticeRole, NoticeRule, recognise
from scenarios.errors import TargetError
from scenarios.model import Strict
from scenarios.yaml_file import Path_, load_with_hash

ItemKind = Literal["message", "delta", "so_far", "done", "typing", "notice", "ready", "end", "error", "ignore"]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")]


def _saved_as(name: str) -> str:
    if not templates.is_name(name):
        raise ValueError(f"'{name}' cannot be saved; use up to 32 of a-z, 0-9 and _, and none of the names built in")
    return name


SavedName = Annotated[str, AfterValidator(_saved_as)]


class Rule(Strict):
    """What one kind of record means. The first rule whose ``when`` fits decides."""

    when: dict[JsonPath, Any] = Field(default_factory=dict, description="path -> value, list of values, or '*' for any")
    kind: ItemKind = "message"
    id: JsonPath | None = Field(default=None, description="what names a message for good")
    text: JsonPath | None = None
    author: JsonPath | None = Field(default=None, description="who spoke, in the words of authors")
    who: Author | None = Field(default=None, description="who spoke, where nothing in the record says so")
    role: NoticeRole | None = Field(default=None, description="of a notice")
    position: JsonPath | None = Field(default=None, description="of a notice: our place in the queue")
    shows: dict[PartKind, JsonPath] = Field(default_factory=dict, description="of a message: kind of part -> path")
    on: JsonPath | None = Field(default=None, description="of typing: whether it begins or ends; begins by default")

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        if self.kind in ("message", "delta", "so_far") and self.text is None:
            raise ValueError(f"a rule of kind {self.kind} needs text, the path of the words")
        if self.kind in ("delta", "done") and self.id is None:
            raise ValueError(f"a rule of kind {self.kind} needs id: which message it belongs to")
        if (self.kind == "notice") != (self.role is not None):
            raise ValueError("a rule has a role if, and only if, its kind is notice")
        if self.author is not None and self.who is not None:
            raise ValueError("a rule has at most one of: author, who")
        return self


class Read(Strict):
    """What comes in, and what it means."""

    items: JsonPath = Field(default="$", description="the records in a document")
    authors: dict[str, Author] = Field(default_factory=dict, description="the interface's word -> who that is")
    rules: tuple[Rule, ...] = Field(min_length=1)


class Request(Strict):
    """One HTTP request."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str = Field(default="", description="relative to the target's url, or a whole address")
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    form: bool = Field(default=False, description="send the body as a form instead of JSON")
    save: dict[SavedName, JsonPath] = Field(default_factory=dict, description="name -> path in the answer")
    save_secret: dict[SavedName, JsonPath] = Field(default_factory=dict, description="the same, and scrubbed")
    messages: bool = Field(default=True, description="the answer may hold messages")


class Poll(Request):
    """A request that is made again and again."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    every_s: float = Field(default=1.0, ge=0.05, le=60)


class Stream(Request):
    """A request whose answer never ends: server-sent events."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    reconnects: int = Field(default=3, ge=0, le=100, description="in a row, each with Last-Event-ID")
    reconnect_s: float = Field(default=1.0, ge=0.05, le=60, description="until the server's retry says otherwise")


class WebSocket(Strict):
    """Messages over one WebSocket: text, or JSON if ``read`` says what it means."""

    path: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    before: tuple[Request, ...] = Field(default=(), description="requests that come first, to get a token")
    first: tuple[Any, ...] = Field(default=(), description="what is sent as soon as it is open")
    say: Any = "${text}"
    bye: Any = None
    ping_s: float | None = Field(default=20, ge=1, le=600, description="a peer that answers no ping has gone")


class Rest(Strict):
    """Messages over HTTP. What the far end says comes in the answer to ``say``, by polling, or by a stream."""

    start: tuple[Request, ...] = ()
    say: Request
    poll: Poll | None = None
    stream: Stream | None = None
    bye: Request | None = None

    @model_validator(mode="after")
    def _one(self) -> Rest:
        if self.poll is not None and self.stream is not None:
            raise ValueError("rest has at most one of: poll, stream")
        return self


class DirectLine(Strict):
    """Bot Framework Direct Line 3.0."""

    path: str = "/v3/directline"
    secret_env: str | None = Field(default=None, description="the variable that holds the secret or token")
    token: Request | None = Field(default=None, description="the centre's own request for one; it saves it as token")
    user: str = Field(default="shopper-${session}", min_length=1)
    stream: bool = Field(default=True, description="listen by WebSocket where the service offers one, else by polling")
    every_s: float = Field(default=1.0, ge=0.05, le=60)
    reconnects: int = Field(default=3, ge=0, le=100, description="in a row, each from the last watermark")

    @model_validator(mode="after")
    def _saves(self) -> DirectLine:
        if self.token is not None and "token" not in self.token.save_secret:
            raise ValueError("the token request must save it: save_secret: {token: PATH}")
        if self.token is not None and self.secret_env is not None:
            raise ValueError("directline has at most one of: secret_env, token")
        return self


class Emit(Strict):
    """One event of Socket.IO."""

    event: str = Field(min_length=1)
    args: tuple[Any, ...] = ()


class SocketIo(Strict):
    """Socket.IO 3 and later (Engine.IO 4), over its WebSocket. ``read`` sees ``{event: NAME, args: [...]}``."""

    path: str = "/socket.io/"
    namespace: str = Field(default="/", pattern=r"^/[^,?]*$")
    auth: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    before: tuple[Request, ...] = ()
    first: tuple[Emit, ...] = ()
    say: Emit
    bye: Emit | None = None


class ApiLimits(Strict):
    """What the far end may take, and when we give up. Each ends in a fault that names it, never in a hang."""

    connect_s: float = Field(default=10, gt=0, le=120)
    ready_s: float = Field(default=20, gt=0, le=600, description="from connected to ready")
    request_s: float = Field(default=30, gt=0, le=600, description="one request, to the last byte of its answer")
    retry_s: float = Field(default=60, ge=0, le=3600, description="how long 429 and 503 are waited out, in all")
    idle_s: float | None = Field(default=None, gt=0, description="a chat in which nothing comes for so long is over")
    echo_s: float = Field(default=10, gt=0, le=600)
    settle_s: float = Field(
        default=0.9, gt=0, le=30, description="a streamed message without an end ends after so long"
    )
    max_bytes: int = Field(default=1_000_000, ge=1000, le=50_000_000, description="one frame, event or answer")
    max_messages: int = Field(default=10_000, ge=1)


class Interface(Strict):
    """One profile."""

    format: Literal[1]
    name: str = Field(min_length=1)
    websocket: WebSocket | None = None
    rest: Rest | None = None
    directline: DirectLine | None = None
    socketio: SocketIo | None = None
    also: tuple[WebAddress, ...] = Field(default=(), description="other addresses that it may lead to")
    read: Read | None = Field(default=None, description="default: each frame is a message; for Direct Line, activities")
    notices: tuple[NoticeRule, ...] = ()
    agent_after_joined: bool = Field(
        default=False, description="bot and human look alike: after 'joined' it is the human"
    )
    echo: bool = Field(default=False, description="what we say must come back as ours, else it is lost")
    greets: bool | None = Field(
        default=None, description="the far end speaks first; default: yes, where it can speak unasked"
    )
    limits: ApiLimits = ApiLimits()

    @model_validator(mode="after")
    def _one(self) -> Interface:
        ways = [name for name in ("websocket", "rest", "directline", "socketio") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError("an interface has exactly one of: websocket, rest, directline, socketio")
        if self.read is None and ways[0] in ("rest", "socketio"):
            raise ValueError(f"{ways[0]} needs read: what the answers mean")
        return self

    @property
    def way(self) -> WebSocket | Rest | DirectLine | SocketIo:
        """How things travel."""
        found = self.websocket or self.rest or self.directline or self.socketio
        assert found is not None
        return found

    @cached_property
    def written(self) -> dict[str, Any]:
        """How things travel, as plain data: what the profile says and nothing else."""
        return self.way.model_dump(exclude_none=True)

    @property
    def may_greet(self) -> bool:
        """Whether a greeting is worth waiting for."""
        if self.greets is not None:
            return self.greets
        if self.rest is None:
            return True
        answers = any(request.messages for request in self.rest.start)
        return answers or self.rest.poll is not None or self.rest.stream is not None

    def notice(self, author: str, text: str) -> Notice | None:
        """Returns the notice that ``text`` is, if any; rules are tried in order."""
        return recognise(self.notices, author, text)

    def is_progress(self, line: str) -> bool:
        """Nothing is: an interface says by itself what is typing and what is a message."""
        return False

    def addresses(self, url: str) -> dict[str, str]:
        """Returns every address the interface may open, as the policy must see it, each by where it is written.

        Args:
            url: the target's.
        """
        found = {"url": url}
        for key, path in _paths((), self.written):
            found[key] = blank_url_of(url, path)
        return found | {f"also[{n}]": address for n, address in enumerate(self.also)}


def blank_url_of(url: str, path: str) -> str:
    """Returns the address that ``path`` leads to from the target's ``url``, with a letter for each name in it."""
    return urljoin(url, templates.blank_url(path)) if path else url


def _paths(at: Path_, data: Any) -> Iterator[tuple[str, str]]:
    """Yields every ``path`` of a transport and where it stands."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key == "path" and isinstance(value, str):
                yield ".".join(map(str, (*at, key))), value
            elif key not in ("body", "auth", "args", "headers", "save", "save_secret"):
                yield from _paths((*at, key), value)
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _paths((*at, index), value)


def load_interface(name: str, folder: Path | None = None) -> Interface:
    """Loads a profile.

    Args:
        name: a path ending in ``.yaml``.
        folder: where a relative path starts, usually the target file's folder.

    Raises:
        TargetError: there is no such file, or the first mistake in it, with its line.
    """
    if not name.endswith((".yaml", ".yml")):
        raise TargetError(f"'{name}' is no interface profile", cure="give the path of one, ending in .yaml")
    loaded = load_with_hash((folder or Path()) / name, Interface, TargetError)
    interface = loaded.model
    way = next(key for key in ("websocket", "rest", "directline", "socketio") if getattr(interface, key) is not None)
    data = interface.written
    saved = frozenset(_saved(data))
    for key, text in _strings((way,), data):
        for used in templates.names(text):
            wrong = templates.mistake(used, saved)
            if wrong is not None:
                place = loaded.place(*key)
                known = ", ".join(sorted(templates.BUILT_IN | saved))
                cure = f"one of {known}, or env:VARIABLE"
                raise TargetError(wrong, file=loaded.path, line=place.line, column=place.column, cure=cure)
        if key[-1] == "path" and urlsplit(text).scheme not in ("", "http", "https"):
            place = loaded.place(*key)
            cure = "write it relative to the target's url, or from http:// or https:// on"
            raise TargetError(
                f"'{text}' is no address", file=loaded.path, line=place.line, column=place.column, cure=cure
            )
    return interface


def _saved(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in ("save", "save_secret") and isinstance(value, Mapping):
                yield from value
            else:
                yield from _saved(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _saved(value)


def _strings(at: Path_, data: Any) -> Iterator[tuple[Path_, str]]:
    """Yields every text of a transport, keys too, and where it stands."""
    if isinstance(data, str):
        yield at, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield (*at, key), key
            yield from _strings((*at, key), value)
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _strings((*at, index), value)
