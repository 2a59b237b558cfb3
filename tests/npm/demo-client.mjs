// The demo's Socket.IO half against the official client. Started by the demo crate's tests with
// the two servers' origins in the environment; ends with 0 when everything held.
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';

const BUDDY = process.env.STUDY_BUDDY;
const ANALYZER = process.env.ANALYZER;
assert.ok(BUDDY && ANALYZER, 'STUDY_BUDDY and ANALYZER hold the origins');

const COOKIE = { extraHeaders: { Cookie: 'access_token=demo-key' } };
// Each client its own connection: the package shares one per origin otherwise.
const WEBSOCKET = { transports: ['websocket'], reconnection: false, forceNew: true };

/** Commands the demo. */
async function demo(origin, verb, body = {}) {
  const response = await fetch(`${origin}/__demo/${verb}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** The next occurrence of an event, or an error after five seconds. */
function next(emitter, event) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no "${event}" came`)), 5_000);
    emitter.once(event, (...args) => {
      clearTimeout(late);
      resolve(args);
    });
  });
}

/** Waits until a list has this many elements. */
async function filled(list, count) {
  const deadline = Date.now() + 5_000;
  while (list.length < count) {
    assert.ok(Date.now() < deadline, `${list.length} of ${count} came`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function studyBuddy() {
  const stranger = io(`${BUDDY}/jobs`, { ...WEBSOCKET, auth: { token: 'demo-key' } });
  const [refusal] = await next(stranger, 'connect_error');
  assert.equal(refusal.message, 'Authentication failed');
  stranger.close();

  const socket = io(`${BUDDY}/jobs`, { ...WEBSOCKET, ...COOKIE });
  await next(socket, 'connect');
  await demo(BUDDY, 'start', { id: '101', max_attempts: 1 });
  const ack = await socket.timeout(5_000).emitWithAck('subscribe:jobs', { jobId: '101' });
  assert.deepEqual(ack, {
    success: true,
    room: 'job:101',
    message: 'Subscribed to job updates',
  });
  const foreign = await socket.timeout(5_000).emitWithAck('subscribe:jobs', { jobId: 'no' });
  assert.deepEqual(foreign, { success: false, message: 'Forbidden' });

  const ends = [];
  socket.on('job:completed', (body) => ends.push(body));
  const progress = next(socket, 'job:progress');
  await demo(BUDDY, 'progress', { id: '101', progress: 40, message: 'downloading' });
  assert.equal((await progress)[0].progress, 40);
  await demo(BUDDY, 'complete', { id: '101' });
  await filled(ends, 4);
  assert.ok(ends.every((end) => end.jobId === '101' && end.status === 'completed'));

  const gone = next(socket, 'disconnect');
  await demo(BUDDY, 'kick');
  assert.equal((await gone)[0], 'io server disconnect');
  socket.close();
}

async function analyzer() {
  const wrong = io(`${ANALYZER}/job-progress`, WEBSOCKET);
  const [refusal] = await next(wrong, 'connect_error');
  assert.equal(refusal.message, 'Invalid namespace');
  wrong.close();

  const polling = io(ANALYZER, { ...WEBSOCKET, transports: ['polling'] });
  await next(polling, 'connect_error');
  polling.close();

  const socket = io(ANALYZER, WEBSOCKET);
  const greeting = next(socket, 'connected');
  await next(socket, 'connect');
  assert.equal((await greeting)[0].clientId, socket.id);
  await demo(ANALYZER, 'start', { id: 'sim-1', queue: 'similarity-operations' });
  await assert.rejects(
    socket.timeout(300).emitWithAck('subscribe-to-job', { jobId: 'sim-1' }),
    'it never acknowledges',
  );
  const exception = next(socket, 'exception');
  socket.emit('subscribe-to-job', null);
  assert.equal((await exception)[0].cause.pattern, 'subscribe-to-job');

  const twice = [];
  socket.on('job-progress', (body) => twice.push(body));
  await demo(ANALYZER, 'progress', { id: 'sim-1', progress: 42.5 });
  await filled(twice, 2);
  assert.deepEqual(twice[0], twice[1]);
  const failed = next(socket, 'job-failed');
  await demo(ANALYZER, 'fail', { id: 'sim-1', error: 'no wallets' });
  assert.equal((await failed)[0].error, 'no wallets');

  // The heartbeat is shortened by the test: three rounds pass while nothing is said.
  let pings = 0;
  socket.io.engine.on('ping', () => (pings += 1));
  const deadline = Date.now() + 5_000;
  while (pings < 3) {
    assert.ok(Date.now() < deadline && socket.connected, `${pings} pings`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const back = io(ANALYZER, { ...WEBSOCKET, reconnection: true, reconnectionDelay: 50 });
  await next(back, 'connect');
  const again = next(back, 'connect');
  await demo(ANALYZER, 'drop');
  await again;
  back.close();
  socket.close();
}

await studyBuddy();
await analyzer();
