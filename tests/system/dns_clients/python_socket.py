"""Python's socket module. Arguments and output: ../test_dns_clients.py"""
import socket
import sys

FAMILIES = {"any": socket.AF_UNSPEC, "6": socket.AF_INET6, "4": socket.AF_INET}
FAILURES = {socket.EAI_NODATA: "nodata", socket.EAI_NONAME: "nxdomain"}


def ask(kind, name):
    try:
        return ",".join(found[4][0] for found in socket.getaddrinfo(name, None, FAMILIES[kind], socket.SOCK_STREAM))
    except socket.gaierror as error:
        return FAILURES.get(error.errno, f"error {error}")


for kind, name in zip(sys.argv[1::2], sys.argv[2::2]):
    print(ask(kind, name))
