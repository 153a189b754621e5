"""An HTTP server for the options of the http handler. Arguments: [ADDRESS [PORT]]."""
import http.server
import os
import signal
import sys
import time

TEXT = "".join(f"line {number} of a page that gets much smaller\n" for number in range(2000)).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/silent":
            time.sleep(3600)
        self.send_response(200)
        self.send_header("x-powered-by", "pages")
        if self.path == "/coded":
            self.send_header("content-encoding", "none")
        self.send_header("content-type", "image/png" if self.path == "/image" else "text/plain")
        self.send_header("content-length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


for signal_number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signal_number, lambda *_: os._exit(0))
address = sys.argv[1] if len(sys.argv) > 1 else "0.0.0.0"
Server((address, int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Handler).serve_forever()
