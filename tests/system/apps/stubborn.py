"""Says every signal it gets. Arguments: the signals it ends at (with code 7), as names without SIG."""
import os
import signal
import sys

ENDS = set(sys.argv[1:])


def on_signal(number, _):
    name = signal.Signals(number).name
    os.write(1, f"got {name}\n".encode())
    if name.removeprefix("SIG") in ENDS:
        os._exit(7)


for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2"):
    signal.signal(getattr(signal, "SIG" + name), on_signal)
os.write(1, b"ready\n")
while True:
    signal.pause()
