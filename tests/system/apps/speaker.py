"""A TCP server that speaks as its first argument says. Arguments: MODE [PORT]. It keeps account of what it got in the
file "seen" beside it: a line "connected" for each connection, and "asked METHOD PATH HOST" for each request.

  200 302 401 500 ...  answers every request with this status; the paths of PATHS have answers of their own
  picky                403 for every host but localhost and addresses
  own-domain           400 in Django's words for every host but shop.example
  fussy                400 for everybody, without a reason
  http2                speaks HTTP/2 alone: says its SETTINGS first, and closes on anything but the preface
  upgrade              redirects every request to https, although X-Forwarded-Proto says that it came that way
  tls                  speaks TLS, with cert.pem beside it, and then HTTP
  close                reads the request and closes
  silent               reads the request, and never answers
  words                answers a request with something else than HTTP
  greeting             speaks first, and not HTTP
  denied               refuses its client in words, as Redis does, and closes
  line                 wants a PROXY line in front of the request, and closes without one
"""
import os
import signal
import socket
import ssl
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
MODE = sys.argv[1]
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
PATHS = {"/200": 200, "/302": 302, "/404": 404}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LOCK = threading.Lock()


def note(line):
    with LOCK, open(os.path.join(HERE, "seen"), "a") as file:
        file.write(line + "\n")


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return None
        head += part
    return head.decode(errors="replace")


def wait_for_end(connection):
    while connection.recv(65536):
        pass


def response(status, location=None, body=""):
    place = f"location: {location}\r\n" if location else ""
    return f"HTTP/1.1 {status} Told\r\n{place}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()


def speak_http2(connection):
    connection.sendall(b"\0\0\0\4\0\0\0\0\0")
    head = b""
    while len(head) < len(PREFACE):
        part = connection.recv(65536)
        if not part or not (head + part).startswith(PREFACE[:len(head + part)]):
            return
        head += part
    note("preface")
    wait_for_end(connection)


def answer(connection):
    head = read_head(connection)
    if head is None:
        return
    has_line = head.startswith("PROXY ")
    if has_line:
        head = head.split("\r\n", 1)[1]
    if head.startswith("PRI "):
        connection.sendall(response(505))
        return
    method, path, _ = head.split("\r\n")[0].split(" ", 2)
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    note(f"asked {method} {path} {fields['Host']}")
    host = fields["Host"].rsplit(":", 1)[0]
    if MODE == "silent" or path == "/never":
        wait_for_end(connection)
    elif MODE == "close" or MODE == "line" and not has_line:
        return
    elif has_line and MODE != "line":
        connection.sendall(response(400))
    elif MODE == "words":
        connection.sendall(b"+what do you mean\n")
    elif path in PATHS:
        connection.sendall(response(PATHS[path], "/200" if PATHS[path] == 302 else None))
    elif MODE == "picky":
        connection.sendall(response(200 if host == "localhost" or host[0].isdigit() else 403))
    elif MODE == "own-domain":
        connection.sendall(response(200) if host == "shop.example" else response(400, body="<body>\n  <h1>Bad Request (400)</h1><p></p>\n</body>"))
    elif MODE == "fussy":
        connection.sendall(response(400, body="{}"))
    elif MODE == "upgrade":
        connection.sendall(response(301, f"https://{host}/"))
    elif MODE.isdigit():
        connection.sendall(response(int(MODE), "/200" if MODE[0] == "3" else None))
    else:
        connection.sendall(response(200))


def serve(connection):
    note("connected")
    try:
        if MODE == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(HERE, "cert.pem"))
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            if MODE == "greeting":
                connection.sendall(b"220 here\r\n")
                wait_for_end(connection)
            elif MODE == "http2":
                speak_http2(connection)
            elif MODE == "denied":
                connection.sendall(b"-DENIED protected mode is on\r\n")
            else:
                answer(connection)
    except OSError:
        connection.close()


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
