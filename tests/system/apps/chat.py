"""A WebSocket server of Python's websockets: sends each message back; "leave CODE" closes with that code. A signal ends it without a
word to its clients."""
import asyncio
import signal
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


# asyncio would make an exception of it, on which websockets tells the clients by itself.
signal.signal(signal.SIGINT, signal.SIG_DFL)
asyncio.run(main())
