# ruff: noqa
# mypy: ignore-errors
"""A made-up tracking server that answers every call with one status (argv 1) and body kind (argv 2), port argv 3."""

import sys, http.server

status = int(sys.argv[1])
kind = sys.argv[2]
body = {
    "html": b"<html><body>Please log in</body></html>",
    "json": b'{"error_code":"PERMISSION_DENIED","message":"no"}',
    "text": b"You are not authenticated.",
}[kind]


class H(http.server.BaseHTTPRequestHandler):
    def go(self):
        n = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(n)
        self.send_response(200 if self.path == "/health" and kind != "html" else status)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = go

    def log_message(self, *a):
        print(self.command, self.path, self.headers.get("Authorization"), flush=True)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), H).serve_forever()
