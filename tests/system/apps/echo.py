"""Echoes datagrams. Arguments: ADDRESS PORT [pktinfo|silent]. ADDRESS may be a name of /etc/hosts, or "self" for the hostname.

pktinfo: answers from the address that the datagram was sent to. silent: never answers. Each datagram that came is a line of
the file "seen" beside this program.
"""
import os
import signal
import socket
import struct
import sys

IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # Python has the name from 3.12 on; ip(7)

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
address, port, mode = sys.argv[1], int(sys.argv[2]), (sys.argv + [""])[3]
family, _, _, _, place = socket.getaddrinfo(socket.gethostname() if address == "self" else address, port, type=socket.SOCK_DGRAM)[0]
server = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, False)
if mode == "pktinfo":
    server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
server.bind(place)
print("listening", flush=True)
while True:
    data, ancillary, _, sender = server.recvmsg(2048, 256)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "seen"), "a") as file:
        file.write(f"{data!r}\n")
    if mode == "silent":
        continue
    if mode == "pktinfo":
        # ipi_ifindex 0 leaves the route alone; ipi_spec_dst is the source to use: the destination of what came.
        destination = next(struct.unpack("@I4s4s", value[:12])[2] for level, kind, value in ancillary if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO))
        server.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("@I4s4s", 0, destination, bytes(4)))], 0, sender)
    else:
        server.sendto(data, sender)
