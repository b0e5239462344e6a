#!/usr/bin/python3
"""Print the alarms of zmesd, one JSON object a line, for as long as it takes.

    ZM_PASSWORD=secret ./consumer.py wss://zm.example.org:9000 --user amy --ca cert.pem

Needs the package python3-websockets (Debian) or `pip install websockets`; 10.0 or later.
Ends with 0 on Ctrl-C or SIGTERM, with 1 where the server refuses the login.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import ssl
import sys

import websockets
from websockets.exceptions import ConnectionClosed, InvalidHandshake

LONGEST_PAUSE = 60  # seconds between two attempts


class Refused(Exception):
    """The server knows us and does not want us: trying again would not help."""


class Consumer:
    def __init__(self, options, password):
        self.options = options
        self.password = password
        self.pause = 1
        self.last = options.since or self.remembered()  # the event that was told last
        self.told = set()
        self.replaying = False

    async def run(self):
        """Connects again and again."""
        while True:
            try:
                await self.session()
                reason = "the server closed the connection"
            except ConnectionClosed as closed:
                reason = f"the connection broke: {closed}"
            except (OSError, InvalidHandshake, asyncio.TimeoutError) as error:
                reason = f"cannot connect: {error or type(error).__name__}"
            # Not all at the same moment: after a power cut everybody comes back.
            pause = self.pause * random.uniform(0.5, 1.5)
            say(f"{reason}; next attempt in {pause:.1f} s")
            await asyncio.sleep(pause)
            self.pause = min(self.pause * 2, LONGEST_PAUSE)

    async def session(self):
        """One connection, from the login to its end."""
        # Silence for 30 s is asked about; no answer for 20 s more, and the connection is given up.
        async with websockets.connect(
            self.options.url, ssl=self.trust(), open_timeout=10, ping_interval=30, ping_timeout=20
        ) as socket:
            data = {"user": self.options.user, "password": self.password, "appversion": "consumer.py 1"}
            if self.options.monitors:
                data["monlist"] = self.options.monitors
                data["intlist"] = ",".join("0" for _ in self.options.monitors.split(","))
            if self.last:
                data["since"] = self.last
            self.replaying = bool(self.last)
            await socket.send(json.dumps({"event": "auth", "data": data}))
            async for text in socket:
                self.receive(json.loads(text))

    def receive(self, frame):
        """One message of the server."""
        if frame["event"] == "auth":
            if frame["status"] != "Success":
                raise Refused(frame["reason"])
            self.pause = 1
            say(f"logged in at {frame.get('server', 'an event server')}")
        elif frame["event"] == "alarm":
            for event in frame["events"]:
                self.alarm(event, frame)
        elif frame["event"] == "control" and frame.get("type") == "replay":
            self.replaying = False
            if frame.get("gap") == "true":
                say("older alarms are no longer kept: some may be missing")

    def alarm(self, event, frame):
        """One alarm. What comes again is told once."""
        replayed = frame.get("replayed") == "true"
        number = event.get("EventId")
        if replayed and number and number in self.told:
            return
        line = {"event": number, "monitor": event["MonitorId"], "name": event["Name"], "cause": event.get("Cause", "")}
        line["late"] = replayed or frame.get("late") == "true"
        print(json.dumps(line), flush=True)
        self.told.add(number)
        # What is new must not hide what is still to be replayed, should the connection break now.
        if number and (replayed or not self.replaying):
            self.last = number
            self.remember()

    def trust(self):
        """Which certificates count: those of the file, else those of the system. Never none."""
        if not self.options.url.startswith("wss:"):
            return None
        return ssl.create_default_context(cafile=self.options.ca)

    def remembered(self):
        try:
            with open(self.options.state, encoding="ascii") as file:
                return file.read().strip()
        except (TypeError, FileNotFoundError):
            return None

    def remember(self):
        if self.options.state:
            new = self.options.state + ".new"
            with open(new, "w", encoding="ascii") as file:
                file.write(self.last)
            os.replace(new, self.options.state)


def say(text):
    print(f"consumer: {text}", file=sys.stderr, flush=True)


async def main():
    parser = argparse.ArgumentParser(description="Print the alarms of zmesd, one JSON object a line.")
    parser.add_argument("url", help="wss://HOST:9000")
    parser.add_argument("--user", required=True, help="a user of ZoneMinder; the password is read from $ZM_PASSWORD")
    parser.add_argument("--ca", metavar="FILE", help="trust this certificate (PEM) or what it has signed, nothing else")
    parser.add_argument("--monitors", metavar="IDS", help="only these: 1,2,5")
    parser.add_argument("--since", metavar="EVENT", help="first what came after this event")
    parser.add_argument("--state", metavar="FILE", help="remember the last event there, over a restart of this program")
    options = parser.parse_args()
    password = os.environ.get("ZM_PASSWORD")
    if password is None:
        parser.error("no password in $ZM_PASSWORD")

    task = asyncio.ensure_future(Consumer(options, password).run())
    for number in (signal.SIGINT, signal.SIGTERM):
        # Cancelling leaves `session` by its `async with`, which closes the connection as it should be closed.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    except Refused as refused:
        say(f"the server refuses: {refused}")
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
