"""The truth about who reaches a machine: real attempts from where Fly Proxy and 6PN are, made without flylocal's help.

A forked child enters the network namespace in which flylocal's proxy thread lives, and connects from there.
Nothing of this goes through flylocal's own code: not the way in, not the connects, not the judgement.
"""
import ctypes
import dataclasses
import errno
import ipaddress
import json
import os
import select
import socket
import struct
import time

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CONNECT_LIMIT = 3.0  # seconds; everything is on this host, so nothing but a full queue takes longer
ANSWER_LIMIT = 1.5  # seconds for the answer to a datagram, which is sent twice in that time

# A question for app.example A, and a STUN binding request (RFC 8489): what servers answer that do not echo.
DNS_QUESTION = b"\x13\x37\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03app\x07example\x00\x00\x01\x00\x01"
STUN_REQUEST = struct.pack("!HHI", 1, 0, 0x2112A442) + b"flylocalflyl"
DATAGRAMS = {"echo": b"flylocal", "dns": DNS_QUESTION, "stun": STUN_REQUEST}


@dataclasses.dataclass(frozen=True)
class Target:
    """One machine and what is asked of it. `ask` is None for TCP, else a key of DATAGRAMS."""
    ipv4: str
    six_pn: str
    port: int
    ask: str = None

    @property
    def global_services(self):
        """What fly-global-services is in the machine: the address after its private IPv4 address."""
        return str(ipaddress.IPv4Address(self.ipv4) + 1)


@dataclasses.dataclass(frozen=True)
class Truth:
    """Whether the two paths work; for UDP `proxy` says that the answer came from fly-global-services."""
    proxy: bool
    six_pn: bool
    how: tuple = ("", "")  # the two outcomes in words

    def paths(self):
        return self.proxy, self.six_pn


# ---- into the backbone ------------------------------------------------------------------------------------------

def backbone_of(pid):
    """The /proc directory of the namespaces that flylocal's proxy works in."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as file:
            if file.read().strip() == "proxy":  # the backbone's own thread visits the machines
                return f"/proc/{pid}/task/{thread}/ns"
    raise RuntimeError(f"process {pid} has no thread that is called proxy")


def _enter(namespaces):
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, flag in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
        there = os.open(f"{namespaces}/{kind}", os.O_RDONLY)
        if os.fstat(there).st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino and libc.setns(there, flag) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns({kind}): {os.strerror(number)}")
        os.close(there)


def attempt(pid, targets):
    """The Truth of each target, found in a child that lives in the backbone of the sandbox of process `pid`."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(receiving)
            _enter(backbone_of(pid))
            text = json.dumps([[how.strip() for how in pair] for pair in _try_all(targets)])
            with os.fdopen(sending, "w") as file:
                file.write(text)
            code = 0
        except BaseException as error:  # the child must not go on as a second copy of its parent
            os.write(2, f"in the backbone: {error!r}\n".encode())
        finally:
            os._exit(code)
    os.close(sending)
    with os.fdopen(receiving) as file:
        text = file.read()
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("the attempts from the backbone failed")
    truths = []
    for target, (way_in, six_pn) in zip(targets, json.loads(text)):
        good = "connected" if target.ask is None else f"answer from {target.global_services}"
        good_six_pn = "connected" if target.ask is None else f"answer from {ipaddress.ip_address(target.six_pn)}"
        truths.append(Truth(way_in == good, six_pn == good_six_pn, (way_in, six_pn)))
    return truths


# ---- the attempts -----------------------------------------------------------------------------------------------

def _try_all(targets):
    """For each target, what came of the two addresses, in words."""
    tcp = {}
    udp = {}
    for target in targets:
        if target.ask is None:
            tcp[target.ipv4, target.port] = tcp[target.six_pn, target.port] = None
        else:
            udp[target.global_services, target.port] = udp[target.six_pn, target.port] = DATAGRAMS[target.ask]
    found = {**_connect(tcp), **_ask(udp)}
    return [(found[target.ipv4 if target.ask is None else target.global_services, target.port], found[target.six_pn, target.port])
            for target in targets]


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _connect(ends):
    found = {}
    waiting = {}
    poll = select.poll()
    for address, port in ends:
        one = socket.socket(_family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        number = one.connect_ex((address, port))
        if number == errno.EINPROGRESS:
            waiting[one.fileno()] = one, (address, port)
            poll.register(one, select.POLLOUT)
        else:
            found[address, port] = _outcome(number)
            one.close()
    deadline = time.monotonic() + CONNECT_LIMIT
    while waiting and time.monotonic() < deadline:
        for number, _ in poll.poll(max(0, (deadline - time.monotonic()) * 1000)):
            one, end = waiting.pop(number)
            poll.unregister(number)
            found[end] = _outcome(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            one.close()
    found.update({end: "timed out" for _, end in waiting.values()})
    return found


def _outcome(number):
    return {0: "connected", errno.ECONNREFUSED: "refused"}.get(number, os.strerror(number))


def _ask(ends):
    """Sends each datagram from a socket that is not connected, so that an answer from anywhere arrives."""
    found = {}
    waiting = {}
    poll = select.poll()
    for end in ends:
        one = socket.socket(_family(end[0]), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        waiting[one.fileno()] = one, end
        poll.register(one, select.POLLIN)
    start = time.monotonic()
    for again in (start, start + ANSWER_LIMIT / 2):
        for one, end in waiting.values():
            try:
                one.sendto(ends[end], end)
            except OSError as error:
                found[end] = os.strerror(error.errno)
        deadline = again + ANSWER_LIMIT / 2
        while waiting and time.monotonic() < deadline:
            for number, _ in poll.poll(max(0, (deadline - time.monotonic()) * 1000)):
                one, end = waiting.pop(number)
                poll.unregister(number)
                source = one.recvfrom(65536)[1][0]
                found[end] = f"answer from {ipaddress.ip_address(source.split('%')[0])}"
                one.close()
    for _, end in waiting.values():
        found.setdefault(end, "no answer")
    return found
