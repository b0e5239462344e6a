"""An app on Python's websockets (package python3-websockets), with the library's own headers.

    websockets_asyncio.py URL CA LAST [SOURCE]: what judges say and do is written in tests/tests/judges/main.rs
"""

import asyncio
import json
import os
import ssl
import sys

import websockets

URL, CA, LAST = sys.argv[1:4]
SOURCE = {"local_addr": (sys.argv[4], 0)} if len(sys.argv) > 4 else {}
FILTER = {"event": "control", "data": {"type": "filter", "monlist": "1", "intlist": "0"}}
AUTH = {"event": "auth", "data": {"user": "admin", "password": os.environ["ZM_PASSWORD"]}}


async def session():
    async with websockets.connect(URL, ssl=ssl.create_default_context(cafile=CA), **SOURCE) as app:
        try:
            await converse(app)
        except websockets.ConnectionClosedError:
            pass  # every code but 1000 and 1001
        print("closed", app.close_code, flush=True)
        return app.close_code == 4000


async def converse(app):
    await app.send(json.dumps(AUTH))
    async for text in app:
        message = json.loads(text)
        if message["event"] == "auth":
            print("in", flush=True)
        elif message["event"] == "alarm":
            event = message["events"][0]["EventId"]
            print("alarm", event, flush=True)
            await app.send(json.dumps(FILTER))
            await (await app.ping(event))
            print("pong", event, flush=True)
            if event == LAST:
                await app.close(4000, "done")


async def main():
    while True:
        try:
            if await session():
                return
        except (OSError, websockets.WebSocketException, asyncio.TimeoutError) as error:
            print("lost", repr(error), flush=True)
        await asyncio.sleep(0.2)


asyncio.run(main())
