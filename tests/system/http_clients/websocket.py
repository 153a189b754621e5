"""Python's websockets. Arguments and output: ../test_real_peers.py"""
import asyncio
import sys

import websockets


async def main(url):
    async with websockets.connect(url, max_size=None) as connection:
        await connection.send("hello")
        print(await connection.recv())
        large = bytes(range(256)) * 8192
        await connection.send(large)
        print(len(large) if await connection.recv() == large else "not the same")
        await (await connection.ping())
        await connection.send("leave 4001")
        await connection.wait_closed()
        print(connection.close_code, connection.close_reason)


asyncio.run(main(sys.argv[1]))
