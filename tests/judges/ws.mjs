// An app on Node's ws (package node-ws), with the library's own headers.
//
//     ws.mjs URL CA LAST [SOURCE]: what judges say and do is written in tests/tests/judges/main.rs

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { argv, env, exit } from 'node:process';

// Not `import`: that finds what npm has installed, but not what Debian has.
const WebSocket = createRequire(import.meta.url)('ws');

const [url, ca, last, localAddress] = argv.slice(2);
const filter = { event: 'control', data: { type: 'filter', monlist: '1', intlist: '0' } };
const auth = { event: 'auth', data: { user: 'admin', password: env.ZM_PASSWORD } };

function session() {
  const app = new WebSocket(url, { ca: readFileSync(ca), localAddress });
  app.on('open', () => app.send(JSON.stringify(auth)));
  app.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.event === 'auth') console.log('in');
    if (message.event !== 'alarm') return;
    const event = message.events[0].EventId;
    console.log('alarm', event);
    app.send(JSON.stringify(filter));
    app.ping(event);
  });
  app.on('pong', (data) => {
    console.log('pong', data.toString());
    if (data.toString() === last) app.close(4000, 'done');
  });
  app.on('error', (error) => console.log('lost', error.message));
  app.on('close', (code) => {
    console.log('closed', code);
    if (code === 4000) exit(0);
    setTimeout(session, 200);
  });
}

session();
