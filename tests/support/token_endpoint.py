"""A token endpoint of a test's own, in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Status and body of each answer.
Answers = Callable[[], tuple[int, object]]


class TokenEndpoint:
    """``asked``: form and Authorization of each request, in order."""

    def __init__(self, url: str, answers: Answers) -> None:
        self.url = url
        self.answers = answers
        self.asked: list[tuple[str, str]] = []


@contextmanager
def token_endpoint(answers: Answers) -> Iterator[TokenEndpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            endpoint.asked.append((form, self.headers["Authorization"]))
            status, told = endpoint.answers()
            body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", endpoint.url)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = TokenEndpoint(f"http://127.0.0.1:{server.server_port}/token", answers)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
