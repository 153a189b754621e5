"""Sends every datagram back: udp.py ADDRESS PORT. An empty ADDRESS is any address of IPv4."""
import socket
import sys

address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET if not address else socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0][0]
receiver = socket.socket(family, socket.SOCK_DGRAM)
receiver.bind((address, port))
while True:
    receiver.sendto(*receiver.recvfrom(65536))
