"""Opens and closes sockets on command: first those of its arguments, then lines of the named pipe "commands" beside it.

A command's words are separated by commas. After each it says "did COMMAND at SECONDS", by the clock that does not jump,
which is the same for all processes of this host. The address "self" is the hostname's.

  tcp,ADDRESS,PORT       listen, and answer every request with 200; a wildcard [::] takes IPv4 too
  v6only,ADDRESS,PORT    the same with IPV6_V6ONLY
  deaf,ADDRESS,PORT      listen with room for one connection, and never accept
  udp,ADDRESS,PORT       echo
  child,NAME,COMMAND...  a child of that name does the command
  flap,PORT              from now on listen on that port of loopback every other half second
  unbind,PORT            close everything on that port
  dial,NAME,PORT         connect over IPv6, and say how that ended
  ask,NAME               look up the name's IPv4 addresses alone
  user,ID                go on as this user
  later,SECONDS          do nothing meanwhile
  exit,CODE
"""
import os
import signal
import socket
import struct
import sys
import threading
import time

OPEN = {}  # port -> sockets


def answer(connection):
    with connection:
        if connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nyes")


def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def echo(receiver):
    while True:
        try:
            data, sender = receiver.recvfrom(65536)
            receiver.sendto(data, sender)
        except OSError:
            return


def opened(kind, address, port, v6_only=False):
    family, _, _, _, place = socket.getaddrinfo(socket.gethostname() if address == "self" else address, port, type=kind)[0]
    made = socket.socket(family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
    made.bind(place)
    OPEN.setdefault(port, []).append(made)
    return made


def listen(address, port, v6_only=False):
    made = opened(socket.SOCK_STREAM, address, port, v6_only)
    made.listen(64)
    threading.Thread(target=serve, args=(made,), daemon=True).start()


def open_udp(address, port):
    made = opened(socket.SOCK_DGRAM, address, port)
    threading.Thread(target=echo, args=(made,), daemon=True).start()


def unbind(port):
    for one in OPEN.pop(port):
        if one.type == socket.SOCK_STREAM:
            one.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(), which else keeps it open
        one.close()


def dial(name, port):
    caller = socket.socket(socket.AF_INET6)
    caller.settimeout(60)
    try:
        caller.connect((name, port))
        print("connected", flush=True)
    except OSError as error:
        print(f"not connected: {error}", flush=True)
    finally:
        caller.close()


def ask(name):
    """An A query as such: getaddrinfo() of some C libraries asks for AAAA with it, whatever the family."""
    words = b"".join(bytes([len(word)]) + word.encode() for word in name.split("."))
    query = struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + words + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.settimeout(60)
        client.sendto(query, ("fdaa::3", 53))
        client.recv(512)


def flap(port):
    while True:
        with socket.create_server(("127.0.0.1", port)):
            time.sleep(0.5)
        time.sleep(0.5)


def start_child(name, command):
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as file:
            file.write(name)
        act(command)
        signal.pause()


def act(command):
    kind, *rest = command.split(",")
    if kind == "tcp":
        listen(rest[0], int(rest[1]))
    elif kind == "v6only":
        listen(rest[0], int(rest[1]), v6_only=True)
    elif kind == "deaf":
        opened(socket.SOCK_STREAM, rest[0], int(rest[1])).listen(0)
    elif kind == "udp":
        open_udp(rest[0], int(rest[1]))
    elif kind == "child":
        start_child(rest[0], ",".join(rest[1:]))
    elif kind == "flap":
        threading.Thread(target=flap, args=(int(rest[0]),), daemon=True).start()
    elif kind == "unbind":
        unbind(int(rest[0]))
    elif kind == "dial":
        dial(rest[0], int(rest[1]))
    elif kind == "ask":
        ask(rest[0])
    elif kind == "user":
        os.setuid(int(rest[0]))
    elif kind == "later":
        time.sleep(float(rest[0]))
    elif kind == "exit":
        os._exit(int(rest[0]))
    else:
        raise ValueError(command)
    print(f"did {command} at {time.monotonic():.6f}", flush=True)


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
for argument in sys.argv[1:]:
    try:
        act(argument)
    except OSError as failure:
        sys.exit(f"cannot listen as {argument} says: {failure}")
pipe = os.path.join(os.path.dirname(os.path.abspath(__file__)), "commands")
if not os.path.exists(pipe):
    os.mkfifo(pipe)
print("ready", flush=True)
while True:
    with open(pipe) as commands:
        for line in commands:
            act(line.strip())
