"""A launcher over TCP, as ssh is one, whose connection a test can cut.

link.py serve ADDRESS COMMAND..   runs the command for each connection, which is its stdin and stdout
link.py to ADDRESS ..             connects its own stdin and stdout; tries to connect for 45 s
"""

import os
import socket
import subprocess
import sys
import threading
import time

PORT = 7077


def serve(address, command):
    with socket.create_server((address, PORT)) as listener:
        while True:
            link, _ = listener.accept()
            running = subprocess.Popen(command, stdin=link, stdout=link)
            link.close()
            threading.Thread(target=running.wait, daemon=True).start()


def connect(address):
    deadline = time.monotonic() + 45
    while True:
        try:
            return socket.create_connection((address, PORT), timeout=2)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def to(address):
    link = connect(address)
    link.settimeout(None)

    def send():
        while data := os.read(0, 1 << 16):
            link.sendall(data)
        link.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    while data := link.recv(1 << 16):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


verb, address, *command = sys.argv[1:]
if verb == "serve":
    serve(address, command)
else:
    to(address)
