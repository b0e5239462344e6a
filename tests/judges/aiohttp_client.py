"""An app on Python's aiohttp (package python3-aiohttp), with the library's own headers.

    aiohttp_client.py URL CA LAST [SOURCE]: what judges say and do is written in tests/tests/judges/main.rs
"""

import asyncio
import json
import os
import ssl
import sys

import aiohttp

URL, CA, LAST = sys.argv[1:4]
SOURCE = (sys.argv[4], 0) if len(sys.argv) > 4 else None
FILTER = {"event": "control", "data": {"type": "filter", "monlist": "1", "intlist": "0"}}
AUTH = {"event": "auth", "data": {"user": "admin", "password": os.environ["ZM_PASSWORD"]}}


async def session(http):
    # Without `autoping`, which swallows pongs.
    async with http.ws_connect(URL, ssl=ssl.create_default_context(cafile=CA), autoping=False) as app:
        await app.send_json(AUTH)
        async for message in app:
            if message.type is aiohttp.WSMsgType.PING:
                await app.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                print("pong", message.data.decode(), flush=True)
                if message.data.decode() == LAST:
                    await app.close(code=4000, message=b"done")
            elif message.type is aiohttp.WSMsgType.TEXT:
                said = json.loads(message.data)
                if said["event"] == "auth":
                    print("in", flush=True)
                elif said["event"] == "alarm":
                    event = said["events"][0]["EventId"]
                    print("alarm", event, flush=True)
                    await app.send_json(FILTER)
                    await app.ping(event.encode())
        print("closed", app.close_code, flush=True)
        return app.close_code == 4000


async def main():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=SOURCE)) as http:
        while True:
            try:
                if await session(http):
                    return
            except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
                print("lost", repr(error), flush=True)
            await asyncio.sleep(0.2)


asyncio.run(main())
