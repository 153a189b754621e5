"""A TCP server without any protocol: answers every line in capitals, the first one with the client's address too."""
import os
import signal
import socket
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(f"{os.environ['FLY_MACHINE_ID']} sees {self.client_address[0]}\n".encode())
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
print("listening", flush=True)
Server(("::", int(sys.argv[1])), Handler).serve_forever()
