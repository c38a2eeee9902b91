"""A server that knows nothing of bakeoff: Python's standard library, and a greeting. `--spin N` makes it slower."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Greeter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    spin = 0

    def do_GET(self):
        for _ in range(self.spin):
            pass
        body = b"hello " + self.path.rpartition("/")[2].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Of its five, the sixth client that knocks at once waits a second for the kernel to try again.
    request_queue_size = 128


if "--spin" in sys.argv:
    Greeter.spin = int(sys.argv[sys.argv.index("--spin") + 1])
Server(("127.0.0.1", int(sys.argv[1])), Greeter).serve_forever()
