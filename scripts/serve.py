"""Serve the built pages on this machine only."""

from __future__ import annotations

import argparse
import functools
import http.server

from steps import ROOT, fail, say

PAGES = ROOT / "_build" / "html"


def main() -> None:
    """Read the port and serve until the program is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    if not 0 <= port <= 65535:
        fail(
            "serve",
            f"port {port}: there are ports from 0 to 65535. Choose another: make serve PORT=8001",
        )
    if not (PAGES / "index.html").is_file():
        fail("serve", "there are no pages in _build/html yet. Run `make book` first.")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(PAGES))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        fail("serve", f"port {port}: {error.strerror}. Choose another: make serve PORT=8001")
    with server:
        say(f"The book is at http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Ended.")


if __name__ == "__main__":
    main()
