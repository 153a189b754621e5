"""A DNS client for use inside a machine: asks many questions by hand and prints the answers as a JSON list.

Arguments: udp|tcp SERVER REPEATS QUESTION..., each question "NAME TYPE"; SERVER "-" is the one of /etc/resolv.conf.
An answer is {"rcode", "echo", "truncated", "answers": [[type, data, ttl], ...], "authority": [type, ...]}, or
{"error": ...} where there was none. Names are written as they came, without the last dot.
"""
import json
import random
import socket
import struct
import sys

TYPES = {"A": 1, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
LIMIT = 60  # seconds; a slow build on a busy computer answers in far less


def read_name(message, at):
    """The name at a place, and the place behind it (RFC 1035 4.1.4)."""
    labels, behind = [], None
    while message[at]:
        if message[at] >= 192:
            behind = behind or at + 2
            at = struct.unpack(">H", message[at:at + 2])[0] & 0x3fff
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += message[at] + 1
    return ".".join(labels), behind or at + 1


def read_data(message, kind, at, length):
    if kind == TYPES["A"]:
        return socket.inet_ntop(socket.AF_INET, message[at:at + length])
    if kind == TYPES["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, message[at:at + length])
    if kind == TYPES["PTR"]:
        return read_name(message, at)[0]
    if kind == TYPES["TXT"]:
        strings, place = [], at
        while place < at + length:
            strings.append(message[place + 1:place + 1 + message[place]].decode())
            place += 1 + message[place]
        return "".join(strings)
    return None


def read(message):
    _, flags, questions, answers, authorities, _ = struct.unpack(">6H", message[:12])
    at, echo, sections = 12, "", []
    for _ in range(questions):
        echo, at = read_name(message, at)
        at += 4
    for count in (answers, authorities):
        records = []
        for _ in range(count):
            at = read_name(message, at)[1]
            kind, _, ttl, length = struct.unpack(">HHIH", message[at:at + 10])
            at += 10
            name = next((name for name, number in TYPES.items() if number == kind), str(kind))
            records.append([name, read_data(message, kind, at, length), ttl])
            at += length
        sections.append(records)
    return {"rcode": flags & 15, "echo": echo, "truncated": bool(flags & 0x200), "answers": sections[0],
            "authority": [kind for kind, _, _ in sections[1]]}


def receive(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise OSError("the resolver closed the connection")
        data += part
    return data


def ask(transport, server, name, kind):
    query = struct.pack(">6H", random.randrange(65536), 0x100, 1, 0, 0, 0)
    query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", TYPES[kind], 1)
    try:
        if transport == "tcp":
            with socket.create_connection((server, 53), timeout=LIMIT) as connection:
                connection.sendall(struct.pack(">H", len(query)) + query)
                return read(receive(connection, struct.unpack(">H", receive(connection, 2))[0]))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as connection:
            connection.settimeout(LIMIT)
            connection.connect((server, 53))
            connection.send(query)
            answer = connection.recv(65535)
            while answer[:2] != query[:2]:
                answer = connection.recv(65535)
            return read(answer)
    except OSError as error:
        return {"error": str(error)}


transport, server, repeats, *questions = sys.argv[1:]
if server == "-":
    with open("/etc/resolv.conf") as file:
        server = file.read().split()[1]
print(json.dumps([ask(transport, server, *question.split()) for question in questions for _ in range(int(repeats))]))
