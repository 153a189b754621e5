import http.server
import signal
import socket
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"worth the wait\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("warming up", flush=True)
time.sleep(4)
server = Server(("::", 8080), Handler)
print("listening", flush=True)
server.serve_forever()
