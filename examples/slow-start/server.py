import http.server
import socket
import time


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


print("warming up", flush=True)
time.sleep(4)
server = Server(("::", 8080), http.server.SimpleHTTPRequestHandler)
print("listening", flush=True)
server.serve_forever()
