"""Serves HTTP while it writes to its standard output. Arguments: megabytes [line]; a line is 100 bytes long, or as long as all."""
import http.server
import os
import signal
import socket
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"done" if finished.is_set() else b"writing"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def write():
    started.wait()
    left = int(sys.argv[1]) * 1024 * 1024
    line = b"x" * 99 + (b"\n" if len(sys.argv) < 3 else b"x")
    block = line * 655
    while left > 0:
        left -= os.write(1, block[:left])
    os.write(1, b"\nthe end of the noise\n")
    finished.set()


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
finished, started = threading.Event(), threading.Event()
server = Server(("::", 8080), Handler)
threading.Thread(target=write, daemon=True).start()
started.set()
server.serve_forever()
