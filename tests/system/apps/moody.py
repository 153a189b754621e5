"""A server that fails when it is told to, and counts. Arguments: [PORT].

/ says which machine answers; /health answers as the machine was told by /mood?code=N; /count is how far its counter is,
which a thread of its own moves on; /slow?seconds=N holds the answer back; /checks are the checks' requests so far.
"""
import http.server
import json
import os
import signal
import sys
import threading
import time
import urllib.parse

COUNT = 0
MOOD = 200
CHECKS = []


def count():
    global COUNT
    while True:
        COUNT += 1
        time.sleep(0.002)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, text, status=200):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        global MOOD
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/health":
            CHECKS.append({"peer": self.client_address[0], "headers": dict(self.headers.items())})
            return self.answer(f"mood {MOOD}\n", MOOD)
        if url.path == "/mood":
            MOOD = int(query["code"])
        if url.path == "/slow":
            time.sleep(float(query["seconds"]))
        if url.path == "/count":
            return self.answer(str(COUNT))
        if url.path == "/checks":
            return self.answer(json.dumps(CHECKS))
        return self.answer(os.environ["FLY_MACHINE_ID"])


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer.daemon_threads = True
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Handler)
print("listening", flush=True)
server.serve_forever()
