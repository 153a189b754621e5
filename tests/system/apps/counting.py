"""An HTTP server that writes down each request before it answers, and misbehaves when asked to.

counting.py PORT LOG. Paths: /WHAT/ID (others are /answer/0), where WHAT is
  answer   answers with the ID and the machine
  slow     the same after 20 ms
  close    answers, and closes without having said so
  half     breaks off in the middle of its answer
  reset    resets the connection in the middle of its answer
  garbage  answers with what is no HTTP
  hang     never answers
"""
import asyncio
import os
import socket
import struct
import sys

MACHINE = os.environ.get("FLY_MACHINE_ID", "")
LOG = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.received = b""
        self.waiting = False

    def data_received(self, data):
        self.received += data
        self.go_on()

    def go_on(self):
        while not self.waiting:
            head, found, rest = self.received.partition(b"\r\n\r\n")
            if not found:
                return
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            self.received = rest[length:]
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            what, number = target.split("/")[1:] if target.count("/") == 2 else ("answer", "0")
            os.write(LOG, f"{method} {number} {MACHINE}\n".encode())
            getattr(self, what)(f"{number} {MACHINE}")

    def answer(self, text):
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

    def slow(self, text):
        self.waiting = True
        asyncio.get_running_loop().call_later(0.02, self.answer_late, text)

    def answer_late(self, text):
        self.waiting = False
        if not self.transport.is_closing():
            self.answer(text)
            self.go_on()

    def close(self, text):
        self.answer(text)
        self.transport.close()

    def half(self, text):
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text) + 100}\r\n\r\n{text}".encode())
        self.transport.close()

    def reset(self, text):
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text) + 100}\r\n\r\n{text}".encode())
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.close()

    def garbage(self, text):
        self.transport.write(b"this is no HTTP\r\n\r\n")
        self.transport.close()

    def hang(self, text):
        self.waiting = True


async def serve():
    server = await asyncio.get_running_loop().create_server(Connection, "", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(serve())
