"""Sixteen WebSockets, and one pass of autostop while they are open: tells how many were closed with the code 1001, and how many of the
others still get their answers. Arguments: the URL, flylocal."""
import asyncio
import sys

import websockets


async def main(url, flylocal):
    connections = [await websockets.connect(url) for _ in range(16)]
    passed = await asyncio.create_subprocess_exec(flylocal, "tick", stdout=asyncio.subprocess.DEVNULL)
    if await passed.wait() != 0:
        sys.exit("flylocal tick failed")
    left = staying = 0
    for connection in connections:
        try:
            await connection.send("still there?")
            staying += await connection.recv() == "still there?"
            await connection.close()
        except websockets.ConnectionClosed:
            left += connection.close_code == 1001
    print(f"{left} left with 1001, {staying} go on")


asyncio.run(main(*sys.argv[1:]))
