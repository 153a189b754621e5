import os
import signal
import time

signal.signal(signal.SIGINT, lambda *_: exit(0))
job = 0
while True:
    job += 1
    print(f"worker in {os.environ['FLY_REGION']}: job {job}", flush=True)
    time.sleep(5)
