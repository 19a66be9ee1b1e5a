"""The server of the live page: the standard library's, for this machine alone, and nothing can be changed through it.

Bound to 127.0.0.1; only asked for by that name, so that no other site's page can reach it under a name of its own; GET
and HEAD. What can be had is in `PATHS`: no part of a request is ever taken for a path of a file.
"""

import gzip
import hashlib
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from bench.errors import UserError
from bench.system.plain_files import why
from bench.watching.logs import log_end
from bench.watching.overview import cells_told, overview
from bench.watching.watch import Experiment, Watch

ADDRESS = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
STATIC = {
    "/": ("live.html", "text/html"),
    "/live.css": ("live.css", "text/css"),
    "/live.js": ("live.js", "text/javascript"),
}
# The report has its scripts and styles inside; of both, nothing is ever asked of anybody else.
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
POLICY += "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
REPORT_POLICY = "frame-ancestors 'none'"  # the rest is in its head
SMALL = 2000  # bytes that are not worth packing


@dataclass(frozen=True)
class Answer:
    """What is sent: `tag` changes with the content."""

    content: bytes
    kind: str
    status: HTTPStatus = HTTPStatus.OK
    policy: str = POLICY

    @property
    def tag(self) -> str:
        """Of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class LiveServer(ThreadingHTTPServer):
    """Answers for one results folder.

    Args:
        watch: looks at it.
        port: 0 takes one that is free.
        report: makes the page of tables.

    Raises:
        UserError: the port is taken or may not be used.
    """

    daemon_threads = True

    def __init__(self, watch: Watch, port: int, report: Callable[[], str]) -> None:
        self.watch, self._report, self._drawing = watch, report, threading.Lock()
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(f"port={port}: {why(error)}; port=0 takes one that is free") from error
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}
        if self.server_port == 80:  # which browsers leave out
            self.hosts |= {ADDRESS, "localhost"}

    @property
    def address(self) -> str:
        """To be opened in a browser."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def report(self) -> str:
        """The page of tables as of now; one at a time."""
        with self._drawing:
            return self._report()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is nobody's fault; anything else is a fault of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    server: LiveServer
    server_version, sys_version = "bench", ""
    timeout = 60.0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # whatever method it may be
            return self._refuse
        raise AttributeError(name)

    def do_GET(self) -> None:
        """Answer."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Answer without the content."""
        self._send(self._answer())

    def log_message(self, *args: Any) -> None:
        """Requests are not told."""

    def _refuse(self) -> None:
        self._send(_plain(HTTPStatus.METHOD_NOT_ALLOWED, "this page can only be looked at"), {"Allow": "GET, HEAD"})

    def _answer(self) -> Answer:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            return _plain(HTTPStatus.MISDIRECTED_REQUEST, f"ask for {self.server.address}")
        asked = urlsplit(self.path)
        if asked.path in STATIC:
            name, kind = STATIC[asked.path]
            return Answer((PAGE / name).read_bytes(), f"{kind}; charset=utf-8")
        if asked.path not in PATHS:
            return _plain(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            return PATHS[asked.path](self.server, dict(parse_qsl(asked.query, keep_blank_values=True)))
        except UserError as error:
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE, " ".join(str(error).split()))

    def _send(self, answer: Answer, headers: dict[str, str] | None = None) -> None:
        known = answer.status == HTTPStatus.OK and self.headers.get("If-None-Match") == answer.tag
        content, packed = b"" if known else answer.content, {}
        if len(content) > SMALL and "gzip" in self.headers.get("Accept-Encoding", ""):
            content, packed = gzip.compress(content, 1), {"Content-Encoding": "gzip"}
        about = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(content)),
            "ETag": answer.tag,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": answer.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            **packed,
            **(headers or {}),
        }
        with suppress(ConnectionError):
            self.send_response(HTTPStatus.NOT_MODIFIED if known else answer.status)
            for name, value in about.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)


def _state(server: LiveServer, asked: dict[str, str]) -> Answer:
    return _json(overview(str(server.watch.results_dir), server.watch.look().values()))


def _cells(server: LiveServer, asked: dict[str, str]) -> Answer:
    experiment = _experiment(server, asked)
    start = asked.get("start", "0")
    if experiment is None or not start.isdecimal() or len(start) > 9:
        return _plain(HTTPStatus.NOT_FOUND, "there is no such experiment")
    wanted: dict[str, str] = {key: asked[key] for key in ("model", "task", "method", "state") if key in asked}
    return _json(cells_told(experiment, wanted, int(start)))


def _log(server: LiveServer, asked: dict[str, str]) -> Answer:
    experiment = _experiment(server, asked)
    cell = None if experiment is None else experiment.cells.get(asked.get("cell", ""))
    text = None if cell is None or cell.folder is None else log_end(cell.folder, server.watch.results_dir)
    return _plain(HTTPStatus.NOT_FOUND, "there is no log") if text is None else _plain(HTTPStatus.OK, text)


def _report(server: LiveServer, asked: dict[str, str]) -> Answer:
    return Answer(server.report().encode(), "text/html; charset=utf-8", policy=REPORT_POLICY)


def _experiment(server: LiveServer, asked: dict[str, str]) -> Experiment | None:
    return server.watch.look().get(asked.get("experiment", ""))


def _json(data: Any) -> Answer:
    return Answer(orjson.dumps(data), "application/json")  # what is not a number is null


def _plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(text.encode(), "text/plain; charset=utf-8", status)


PATHS: dict[str, Callable[[LiveServer, dict[str, str]], Answer]] = {
    "/state.json": _state,
    "/cells.json": _cells,
    "/log.txt": _log,
    "/report": _report,
}
