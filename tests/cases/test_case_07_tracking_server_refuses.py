"""A server that refuses, or is no tracking server, is one sentence before any training."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from case_runner import Case

PAGE = b"<html><body>Please log in</body></html>"
JSON = b'{"error_code":"PERMISSION_DENIED","message":"no"}'
LOGIN = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


@contextmanager
def server(status: int, body: bytes, kind: str = "text/html", **headers: str) -> Iterator[int]:
    """The port of a server that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        try:
            yield httpd.server_address[1]
        finally:
            httpd.shutdown()
            thread.join()


def train(case: Case, uri: str) -> str:
    overrides = ("dataset.path=base.csv", "tracking=server", f"tracking.uri={uri}")
    text = case.train(*overrides, code=1).text
    assert "data:" not in text  # no data was read
    return text[text.rindex("tracking.uri=") :]


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"You are not authenticated.", "text/plain", ("(401)", LOGIN)),
        (403, JSON, "application/json", ("(403)", LOGIN)),
        (404, PAGE, "text/html", ("(404)", "correct host, port and path")),
        (500, JSON, "application/json", ("(500)", "see its own log")),
        (502, PAGE, "text/html", ("(502)", "try again later")),
        (200, PAGE, "text/html", ("a page of text/html (200)", LOGIN)),
        (200, b"", "text/html", ("an empty answer (200)", LOGIN)),
        (200, b'{"status": "ok"}', "application/json", ("application/json (200)", LOGIN)),
        (200, b"[]", "application/json", ("application/json (200)", LOGIN)),
    ],
)
def test_an_answer_that_is_not_mlflows(
    case: Case, status: int, body: bytes, kind: str, words: tuple[str, ...]
) -> None:
    with server(status, body, kind) as port:
        text = train(case, f"http://me:hunter2@127.0.0.1:{port}")
    assert f"tracking.uri=http://***@127.0.0.1:{port}: the server" in text
    assert all(word in text for word in words), text
    assert "hunter2" not in text


def test_a_redirect_to_a_login(case: Case) -> None:
    with server(302, b"", Location="https://u:hunter2@sso.example.org/login") as port:
        text = train(case, f"http://127.0.0.1:{port}")
    assert "the server redirects to https://***@sso.example.org/login (302)" in text
    assert "hunter2" not in text


def test_https_where_http_is_spoken(case: Case) -> None:
    with server(200, b"{}", "application/json") as port:
        text = train(case, f"https://127.0.0.1:{port}")
    assert "write the address with http://" in text


def test_a_port_that_nothing_listens_on_and_a_name_that_is_not_known(case: Case) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "no tracking server answers there (ConnectionError)" in train(
        case, f"http://127.0.0.1:{port}"
    )
    text = train(case, "http://no-such-host.invalid:5000")
    assert "the name of the host is not known" in text


def test_something_that_speaks_no_http(case: Case) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        text = train(case, f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
    assert "does not speak HTTP" in text


OTHERS: dict[str, Callable[[Case, list[str]], str]] = {
    "sweep": lambda case, where: (
        case.sweep("dataset.path=base.csv", "tower.emb_dim=2,4", *where, code=1).text
    ),
    "compare": lambda case, where: case.call("compare", "runs=[a,b]", *where, code=1).text,
    "recommend": lambda case, where: case.call("recommend", *where, code=1).text,
    "ui": lambda case, where: case.call("ui", "open_browser=false", *where, code=1).text,
    "baselines": lambda case, where: (
        case.call(
            "baselines",
            "dataset=file",
            "dataset.path=base.csv",
            "preprocessing=none",
            "split=last_n",
            "output_dir=out",
            *where,
            code=1,
        ).text
    ),
}


@pytest.mark.parametrize("command", OTHERS)
def test_every_command_reports_it(case: Case, command: str) -> None:
    with server(401, b"no", "text/plain") as port:
        where = ["tracking=server", f"tracking.uri=http://127.0.0.1:{port}"]
        text = OTHERS[command](case, where)
    assert f"tracking.uri=http://127.0.0.1:{port}: the server refused" in text
    assert f"(401); set {LOGIN.partition(' and')[0]}" in text
    assert not list(case.folder.glob("out/cache/baselines/**/*.parquet"))
