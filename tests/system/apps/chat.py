"""A WebSocket server of Python's websockets: sends each message back; "leave CODE" closes with that code."""
import asyncio
import sys

import websockets


async def chat(connection):
    async for message in connection:
        if isinstance(message, str) and message.startswith("leave "):
            await connection.close(int(message[6:]), "as you wish")
        else:
            await connection.send(message)


async def main():
    async with websockets.serve(chat, "0.0.0.0", int(sys.argv[1]), max_size=None):
        await asyncio.Future()


asyncio.run(main())
