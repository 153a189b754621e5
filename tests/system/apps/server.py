"""The app of most tests: an HTTP server that tells what it was asked. Arguments: [ADDRESS [PORT]]."""
import http.server
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse

CONNECTIONS = 0
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        global CONNECTIONS
        super().setup()
        with LOCK:
            CONNECTIONS += 1
            self.number = CONNECTIONS
        self.requests = 0

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_chunked(self, body, size=1000):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), size):
            part = body[at:at + size]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            whole = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                part = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return whole
                whole += part
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def do_GET(self):
        self.requests += 1
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/upgrade":
            return self.upgrade()
        if url.path == "/bytes":
            return self.answer(b"x" * int(query["count"]))
        if url.path == "/until-close":
            self.send_response(200)
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(b"until the end")
            self.close_connection = True
            return None
        if url.path == "/silence":
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if url.path == "/exit":
            os._exit(int(query["code"]))
        if url.path == "/slow":
            time.sleep(float(query["seconds"]))
        if url.path == "/status":
            return self.answer(b"as told\n", int(query["code"]), [("x-custom", "kept")])
        body = self.body()
        text = json.dumps({"app": os.environ.get("FLY_APP_NAME"), "machine": os.environ.get("FLY_MACHINE_ID"),
                           "method": self.command, "path": self.path, "peer": self.client_address[0],
                           "headers": self.headers.items(), "body": len(body), "connection": self.number,
                           "requests": self.requests})
        return self.answer(text.encode(), headers=[("content-type", "application/json")])

    do_HEAD = do_DELETE = do_PUT = do_GET

    def do_POST(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        body = self.body()
        if query.get("as") == "chunked":
            return self.answer_chunked(body)
        return self.answer(body, headers=[("x-framing", self.headers.get("transfer-encoding") or "length")])

    def upgrade(self):
        """Switches to a protocol that answers every line in capitals."""
        self.send_response(101)
        self.send_header("connection", "Upgrade")
        self.send_header("upgrade", self.headers["upgrade"])
        self.end_headers()
        for line in self.rfile:
            self.wfile.write(line.upper())
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


address = sys.argv[1] if len(sys.argv) > 1 else "::"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
Server.address_family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
server = Server((address, port), Handler)
print(f"listening on {address} port {port}", flush=True)
server.serve_forever()
