"""Servers for the handlers of raw TCP ports: 9001 sends lines back in capitals; 9002 wants a PROXY header, and answers with
it, in hexadecimal where it is binary; 9003 is as much of PostgreSQL as one client needs. It also runs server.py beside it."""
import os
import runpy
import socketserver
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Capitals(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class ProxyHeader(socketserver.StreamRequestHandler):
    def handle(self):
        header = self.rfile.read(5)
        if header == b"PROXY":
            self.wfile.write(header + self.rfile.readline())
        else:
            header += self.rfile.read(16 - len(header))
            if not header.startswith(SIGNATURE):
                return
            header += self.rfile.read(struct.unpack("!H", header[14:16])[0])
            self.wfile.write(header.hex().encode() + b"\n")
        self.wfile.write(self.rfile.readline())


class Postgres(socketserver.StreamRequestHandler):
    def say(self, kind, body):
        self.wfile.write(kind + struct.pack("!I", len(body) + 4) + body)

    def message(self):
        kind = self.rfile.read(1)
        return kind, self.rfile.read(struct.unpack("!I", self.rfile.read(4))[0] - 4) if kind else b""

    def handle(self):
        size, version = struct.unpack("!II", self.rfile.read(8))
        user = self.rfile.read(size - 8).split(b"\0")[1]
        if version != 3 << 16:
            return
        self.say(b"R", struct.pack("!I", 0))
        self.say(b"S", b"server_version\x0015.0\0")
        self.say(b"S", b"client_encoding\0UTF8\0")
        self.say(b"Z", b"I")
        while (message := self.message())[0] == b"Q":
            self.say(b"T", struct.pack("!H", 1) + b"who\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0))
            self.say(b"D", struct.pack("!HI", 1, len(user)) + user)
            self.say(b"C", b"SELECT 1\0")
            self.say(b"Z", b"I")


class Server(socketserver.ThreadingTCPServer):
    address_family = socketserver.socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


for port, handler in ((9001, Capitals), (9002, ProxyHeader), (9003, Postgres)):
    threading.Thread(target=Server(("::", port), handler).serve_forever, daemon=True).start()
sys.argv = [os.path.join(HERE, "server.py")]
runpy.run_path(sys.argv[0], run_name="__main__")
