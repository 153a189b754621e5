"""A DNS client for use inside a machine: asks one question by hand and prints the answer as JSON.

Arguments: udp|tcp NAME TYPE [recurse]. Knows just enough of RFC 1035 to read AAAA and TXT answers.
"""
import json
import socket
import struct
import sys

TYPES = {"A": 1, "TXT": 16, "AAAA": 28}


def skip_name(message, at):
    while message[at]:
        if message[at] >= 192:
            return at + 2
        at += message[at] + 1
    return at + 1


def read(message):
    number, flags, questions, answers, _, _ = struct.unpack(">6H", message[:12])
    at = 12
    for _ in range(questions):
        at = skip_name(message, at) + 4
    records = []
    for _ in range(answers):
        at = skip_name(message, at)
        kind, _, ttl, length = struct.unpack(">HHIH", message[at:at + 10])
        data = message[at + 10:at + 10 + length]
        at += 10 + length
        if kind == TYPES["AAAA"]:
            records.append([socket.inet_ntop(socket.AF_INET6, data), ttl])
        elif kind == TYPES["TXT"]:
            text, place = "", 0
            while place < length:
                text += data[place + 1:place + 1 + data[place]].decode()
                place += 1 + data[place]
            records.append([text, ttl])
    return {"id": number, "rcode": flags & 15, "authoritative": bool(flags & 0x400), "truncated": bool(flags & 0x200), "records": records}


def receive(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise SystemExit("the resolver closed the connection")
        data += part
    return data


def ask(transport, name, kind, recurse):
    query = struct.pack(">6H", 4711, 0x100 if recurse else 0, 1, 0, 0, 0)
    query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", TYPES[kind], 1)
    server = open("/etc/resolv.conf").read().split()[1]
    if transport == "tcp":
        connection = socket.create_connection((server, 53), timeout=60)
        connection.sendall(struct.pack(">H", len(query)) + query)
        return read(receive(connection, struct.unpack(">H", receive(connection, 2))[0]))
    connection = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    connection.settimeout(60)
    connection.sendto(query, (server, 53))
    return read(connection.recv(65535))


print(json.dumps(ask(sys.argv[1], sys.argv[2], sys.argv[3], len(sys.argv) > 4)))
