// The test servers themselves, seen by the official client: what Jobwatch is tested against must
// behave as its document says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';

async function start(t, script, env = {}) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => JSON.parse((await lines.next()).value);
  const { port } = await read();
  t.after(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });
  const tell = async (command, fields = {}) => {
    child.stdin.write(`${JSON.stringify({ do: command, ...fields })}\n`);
    const { ok, value, error } = await read();
    assert.ok(ok, error);
    return value;
  };
  return { url: `http://127.0.0.1:${port}`, tell };
}

function connect(t, url, options = {}) {
  const socket = io(url, { transports: ['websocket'], reconnectionDelay: 50, ...options });
  t.after(() => socket.close());
  return socket;
}

/** The next `count` events of a name. */
function next(socket, event, count = 1) {
  return new Promise((resolve) => {
    const found = [];
    socket.on(event, function add(body) {
      found.push(body);
      if (found.length === count) {
        socket.off(event, add);
        resolve(found);
      }
    });
  });
}

async function get(url, headers = {}) {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.json() };
}

test('the study server acknowledges, refuses strangers, and sends everything twice', async (t) => {
  const server = await start(t, 'study-buddy.mjs', { ACCESS_TOKEN: 'sesame' });
  const stranger = connect(t, `${server.url}/jobs`, { extraHeaders: { cookie: 'access_token=no' } });
  const [error] = await next(stranger, 'connect_error');
  assert.equal(error.message, 'Authentication failed');

  const socket = connect(t, `${server.url}/jobs`, { extraHeaders: { cookie: 'access_token=sesame' } });
  await next(socket, 'connect');
  await server.tell('add', { job: '7' });
  await server.tell('add', { job: '8', user: 'u2' });
  assert.deepEqual(await socket.emitWithAck('subscribe:jobs', { jobId: '7' }), {
    success: true, room: 'job:7', message: 'Subscribed to job updates',
  });
  assert.deepEqual(await socket.emitWithAck('subscribe:jobs', { jobId: '8' }), { success: false, message: 'Forbidden' });

  const progress = next(socket, 'job:progress', 2);
  await server.tell('progress', { job: '7', progress: 40, message: 'downloading' });
  assert.deepEqual((await progress).map((it) => it.progress), [40, 40]);
  const completed = next(socket, 'job:completed', 4);
  await server.tell('complete', { job: '7' });
  await completed;
  const headers = { cookie: 'access_token=sesame' };
  assert.equal((await get(`${server.url}/jobs/7`, headers)).body.job.status, 'completed');
  assert.equal((await get(`${server.url}/jobs/8`, headers)).status, 403);
  assert.equal((await get(`${server.url}/jobs/7`)).status, 401);
});

test('a shut server answers over HTTP only, and takes clients again when opened', async (t) => {
  const server = await start(t, 'analyzer.mjs', { API_KEY: 'k' });
  const socket = connect(t, server.url);
  await next(socket, 'connected');
  const gone = next(socket, 'disconnect');
  await server.tell('shut');
  await gone;
  assert.equal((await get(`${server.url}/api/v1/jobs`, { 'x-api-key': 'k' })).status, 200);
  assert.equal(await server.tell('sockets'), 0);
  await server.tell('open');
  await next(socket, 'connected');
  assert.equal(await server.tell('sockets'), 1);
});

test('the analysis server tells subscribers only', async (t) => {
  const server = await start(t, 'analyzer.mjs');
  const socket = connect(t, server.url);
  await next(socket, 'connected');
  await server.tell('add', { job: 'a' });
  await server.tell('add', { job: 'b' });
  const seen = [];
  socket.onAny((event, body) => seen.push(`${event} ${body.jobId}`));
  socket.emit('subscribe-to-job', { jobId: 'b' });
  // The exception answers the second message, so the first has been handled by then.
  socket.emit('subscribe-to-job', {});
  await next(socket, 'exception');
  await server.tell('complete', { job: 'a' });
  const failed = next(socket, 'job-failed');
  await server.tell('fail', { job: 'b', reason: 'no wallets' });
  assert.deepEqual(await failed.then(([it]) => [it.error, it.attempts, it.maxAttempts]), ['no wallets', 3, 3]);
  assert.deepEqual(seen, ['exception undefined', 'job-failed b']);
});

test('the gateway passes on what real BullMQ jobs do', async (t) => {
  const server = await start(t, 'nest-gateway/dist/main.js', { API_KEY: 'k' });
  const headers = { 'x-api-key': 'k' };
  const socket = connect(t, server.url);
  await next(socket, 'connected');
  socket.emit('subscribe-to-queue', { queueName: 'similarity-operations' });
  while (!(await server.tell('heard')).length);
  await server.tell('add', { job: 'sim-1', attempts: 2 });
  await server.tell('fail', { job: 'sim-1', error: 'first attempt dies' });
  const progress = next(socket, 'job-progress');
  await server.tell('progress', { job: 'sim-1', progress: 42.5 });
  assert.equal((await progress)[0].progress, 42.5);
  await server.tell('log', { job: 'sim-1', text: 'comparing' });
  const completed = next(socket, 'job-completed');
  await server.tell('complete', { job: 'sim-1', result: { pairs: 3 } });
  assert.deepEqual((await completed)[0].result, { pairs: 3 });
  const { body } = await get(`${server.url}/api/v1/jobs/sim-1`, headers);
  assert.equal(body.attempts, 2);
  assert.deepEqual(body.result, { pairs: 3 });
  assert.deepEqual((await get(`${server.url}/api/v1/jobs/sim-1/logs`, headers)).body.logs, ['comparing']);
  const failed = next(socket, 'job-failed');
  await server.tell('add', { job: 'sim-2' });
  await server.tell('fail', { job: 'sim-2', error: 'no wallets' });
  assert.equal((await failed)[0].error, 'no wallets');
});
