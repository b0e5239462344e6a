"""An app on Python's websocket-client (package python3-websocket), with the library's own headers.

    websocket_client.py URL CA LAST [SOURCE]: what judges say and do is written in tests/tests/judges/main.rs
"""

import json
import os
import socket
import ssl
import sys
import time

import websocket

URL, CA, LAST = sys.argv[1:4]
SOURCE = sys.argv[4] if len(sys.argv) > 4 else None
FILTER = {"event": "control", "data": {"type": "filter", "monlist": "1", "intlist": "0"}}
AUTH = {"event": "auth", "data": {"user": "admin", "password": os.environ["ZM_PASSWORD"]}}


def connect():
    if SOURCE is None:
        return websocket.create_connection(URL, timeout=60, sslopt={"ca_certs": CA})
    host, port = URL.removeprefix("wss://").rstrip("/").split(":")
    raw = socket.create_connection((host, int(port)), 60, (SOURCE, 0))
    secure = ssl.create_default_context(cafile=CA).wrap_socket(raw, server_hostname=host)
    return websocket.create_connection(URL, timeout=60, socket=secure)


def session(app):
    app.send(json.dumps(AUTH))
    while True:
        opcode, data = app.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_PONG:
            print("pong", data.decode(), flush=True)
        elif opcode == websocket.ABNF.OPCODE_CLOSE:
            print("closed", int.from_bytes(data[:2], "big"), flush=True)
            return int.from_bytes(data[:2], "big") == 4000
        elif opcode == websocket.ABNF.OPCODE_TEXT:
            message = json.loads(data)
            if message["event"] == "auth":
                print("in", flush=True)
            elif message["event"] == "alarm":
                event = message["events"][0]["EventId"]
                print("alarm", event, flush=True)
                app.send(json.dumps(FILTER))
                app.ping(event)
                if event == LAST:
                    app.send_close(4000, b"done")


while True:
    try:
        if session(connect()):
            sys.exit(0)
    except (OSError, websocket.WebSocketException) as error:
        print("lost", repr(error), flush=True)
    time.sleep(0.2)
