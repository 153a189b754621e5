"""What the benchmarks share: a project around the instant server, and polling without sleeping long."""

import os
import socket
import statistics
import subprocess
import tempfile
import time

POLL_S = 0.0005


def make_project(directory, server, port, machines=1):
    with open(os.path.join(directory, "fly.toml"), "w") as file:
        file.write(
            f'app = "bench"\nprimary_region = "ams"\n[processes]\n  app = "{server} 8080"\n'
            '[http_service]\n  internal_port = 8080\n  processes = ["app"]\n'
        )
    with open(os.path.join(directory, "flylocal.toml"), "w") as file:
        file.write(f'[[machines]]\nregion = "ams"\ncount = {machines}\n[ports]\n80 = {port}\n')


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Whether a GET is answered with 200; False while it cannot be."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: bench.localhost\r\nConnection: close\r\n\r\n")
            return client.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def wait_until(condition, limit_s=60):
    deadline = time.perf_counter() + limit_s
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError("the benchmark's condition did not come true")
        time.sleep(POLL_S)


def figures(name, values, unit="ms"):
    print(f"{name:<44} median {statistics.median(values):8.1f} {unit}   min {min(values):8.1f}   max {max(values):8.1f}")


class Sandbox:
    """A `flylocal up` of one project, with a state directory of its own."""

    def __init__(self, flylocal, project, state):
        self.flylocal = flylocal
        self.environment = dict(os.environ, XDG_STATE_HOME=state)
        self.socket = os.path.join(state, "flylocal", "control.sock")
        self.log = os.path.join(state, "output")
        with open(self.log, "w") as output:
            self.process = subprocess.Popen(
                [flylocal, "up", project], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def has_control_socket(self):
        return os.path.exists(self.socket)

    def run(self, *arguments):
        return subprocess.run([self.flylocal, *arguments], env=self.environment, capture_output=True, text=True)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def temporary_directory():
    return tempfile.TemporaryDirectory(prefix="flylocal-bench-")
