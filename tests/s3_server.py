"""A real S3 server (moto's) in a process of its own, with faults a store or the line to it can have.

``python -m tests.s3_server`` prints its port and serves until it is killed; it keeps objects in memory, so whoever
starts it again finds it empty.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

BUCKET = "evidence"


class S3Server:
    """The server's process. A context manager: killed with -9 at the end.

    Args:
        port: 0 takes a free one; a second server may take the port of one that died.
        cut_short: names of files of which only half of what is sent is kept, with no word to the sender.
        die_at_put: the number of the PUT of an object in the midst of which the process kills itself.
    """

    def __init__(self, port: int = 0, *, cut_short: str = "", die_at_put: int = 0) -> None:
        command = [sys.executable, "-m", "tests.s3_server", f"--port={port}", f"--cut-short={cut_short}"]
        self._process = subprocess.Popen([*command, f"--die-at-put={die_at_put}"], stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> S3Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kills it with -9 and waits until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self.wait()

    def wait(self) -> None:
        """Waits until it is gone."""
        self._process.wait(30)
        self._process.stdout.close()


class Wire:
    """A TCP line to a port of this machine that can be cut and mended: the server behind it keeps all it has."""

    def __init__(self, to: int) -> None:
        self._to, self._ends = to, []
        self._listener = self._listen(0)
        self.port = self._listener.getsockname()[1]

    def cut(self) -> None:
        """Breaks every connection; new ones are refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Takes connections again, on the same port."""
        self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends += [near, far]
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    with near, far, suppress(OSError):
        while True:
            for end in select.select([near, far], [], [])[0]:
                block = end.recv(1 << 16)
                if not block:
                    return
                other[end].sendall(block)


class Faults:
    """What goes wrong between the wire and the store."""

    def __init__(self, store, cut_short: str, die_at_put: int) -> None:
        self._store, self._cut_short, self._die_at_put, self._puts = store, cut_short, die_at_put, 0

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "PUT" and path.count("/") > 1:
            self._puts += 1
            if self._puts == self._die_at_put:
                environ["wsgi.input"].read(100)
                os.kill(os.getpid(), signal.SIGKILL)
            if self._cut_short and path.endswith(self._cut_short):
                _halve(environ)
        return self._store(environ, start_response)


def _halve(environ) -> None:
    import io

    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    half = body[: len(body) // 2]
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(half), str(len(half))
    for name in [key for key in environ if re.search("CHECKSUM|CONTENT_MD5|DECODED_CONTENT", key)]:
        del environ[name]


def main() -> None:
    from moto.s3.models import s3_backends
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--cut-short")
    parser.add_argument("--die-at-put", type=int)
    options = parser.parse_args()
    s3_backends["123456789012"]["aws"].create_bucket(BUCKET, "us-east-1")
    store = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", options.port, Faults(store, options.cut_short, options.die_at_put), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
