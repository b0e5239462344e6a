#!/usr/bin/env node
// Print the alarms of zmesd, one JSON object a line, for as long as it takes.
//
//     ZM_PASSWORD=secret ./consumer.mjs wss://zm.example.org:9000 --user amy --ca cert.pem
//
// Needs Node 18 or later and the package node-ws (Debian) or `npm install ws`.
// Ends with 0 on Ctrl-C or SIGTERM, with 1 where the server refuses the login.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { exit, env, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';

// Not `import`: that finds what npm has installed, but not what Debian has.
const WebSocket = createRequire(import.meta.url)('ws');

const LONGEST_PAUSE = 60_000; // ms between two attempts
const SILENCE = 60_000; // the server pings after 20 s without a frame: three times that is no server

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    user: { type: 'string' }, // a user of ZoneMinder; the password is read from $ZM_PASSWORD
    ca: { type: 'string' }, // trust this certificate (PEM) or what it has signed, nothing else
    monitors: { type: 'string' }, // only these: 1,2,5
    since: { type: 'string' }, // first what came after this event
    state: { type: 'string' }, // remember the last event there, over a restart of this program
  },
});
const [url] = positionals;
const password = env.ZM_PASSWORD;
if (!url || !options.user || password === undefined) {
  stderr.write('usage: ZM_PASSWORD=… consumer.mjs wss://HOST:9000 --user USER [--ca FILE] [--monitors 1,2]\n');
  stderr.write('       [--since EVENT] [--state FILE]\n');
  exit(2);
}

let pause = 1000;
let last = options.since ?? remembered(); // the event that was told last
let replaying = false;
let socket;
let timer;
let ending = false;
const told = new Set();

// One connection, from the login to its end; then the next one.
function connect() {
  let reason = 'the server closed the connection';
  replaying = Boolean(last);
  socket = new WebSocket(url, {
    ca: options.ca && readFileSync(options.ca),
    handshakeTimeout: 10_000,
  });
  socket.on('open', () => {
    const data = { user: options.user, password, appversion: 'consumer.mjs 1' };
    if (options.monitors) {
      data.monlist = options.monitors;
      data.intlist = options.monitors.split(',').map(() => '0').join(',');
    }
    if (last) data.since = last;
    socket.send(JSON.stringify({ event: 'auth', data }));
    alive();
  });
  socket.on('ping', alive);
  socket.on('message', (text) => {
    alive();
    receive(JSON.parse(text));
  });
  socket.on('error', (error) => {
    reason = `cannot connect: ${error.message}`;
  });
  socket.on('close', () => {
    clearTimeout(timer);
    if (ending) return;
    // Not all at the same moment: after a power cut everybody comes back.
    const wait = pause * (0.5 + Math.random());
    say(`${reason}; next attempt in ${(wait / 1000).toFixed(1)} s`);
    timer = setTimeout(connect, wait);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });
}

// A sign of life: the connection is given up when none comes for too long.
function alive() {
  clearTimeout(timer);
  timer = setTimeout(() => socket.terminate(), SILENCE);
}

// One message of the server.
function receive(frame) {
  if (frame.event === 'auth') {
    if (frame.status !== 'Success') {
      say(`the server refuses: ${frame.reason}`);
      end(1);
      return;
    }
    pause = 1000;
    say(`logged in at ${frame.server ?? 'an event server'}`);
  } else if (frame.event === 'alarm') {
    for (const event of frame.events) alarm(event, frame);
  } else if (frame.event === 'control' && frame.type === 'replay') {
    replaying = false;
    if (frame.gap === 'true') say('older alarms are no longer kept: some may be missing');
  }
}

// One alarm. What comes again is told once.
function alarm(event, frame) {
  const replayed = frame.replayed === 'true';
  const number = event.EventId;
  if (replayed && number && told.has(number)) return;
  const late = replayed || frame.late === 'true';
  const line = { event: number, monitor: event.MonitorId, name: event.Name, cause: event.Cause ?? '', late };
  stdout.write(`${JSON.stringify(line)}\n`);
  told.add(number);
  // What is new must not hide what is still to be replayed, should the connection break now.
  if (number && (replayed || !replaying)) {
    last = number;
    remember();
  }
}

function remembered() {
  try {
    return readFileSync(options.state, 'ascii').trim();
  } catch {
    return undefined;
  }
}

function remember() {
  if (!options.state) return;
  writeFileSync(`${options.state}.new`, last);
  renameSync(`${options.state}.new`, options.state);
}

function say(text) {
  stderr.write(`consumer: ${text}\n`);
}

// Closes as a connection should be closed; two seconds, then without the server.
function end(code) {
  ending = true;
  clearTimeout(timer);
  socket.on('close', () => exit(code));
  if (socket.readyState === WebSocket.CLOSED) exit(code);
  socket.close(1000);
  setTimeout(() => exit(code), 2000).unref();
}

process.on('SIGINT', () => end(0));
process.on('SIGTERM', () => end(0));
connect();
