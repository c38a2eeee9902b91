"""A server of payments that acknowledges them all and does none of them."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAYMENT = {"payment_id": 1, "status": "captured", "amount_minor": 1, "fee_minor": 1}


class Liar(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, {"ready": True, "contender": "liar"})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(201, PAYMENT)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Liar).serve_forever()
