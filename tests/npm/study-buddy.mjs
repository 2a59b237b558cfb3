// A study server on the official socket.io package: namespace /jobs behind a cookie, acks, events
// sent twice, completions before the row is written, failures whose text is of no use.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen, obey } from './lib/control.mjs';
import { cut, gate } from './lib/gate.mjs';

const TOKEN = process.env.ACCESS_TOKEN ?? 'study-token';
const USER = 'u1';

/** jobId -> the row as HTTP shows it */
const rows = new Map();
/** jobId -> the last progress event, which a late subscriber is sent again */
const cached = new Map();
/** what clients have sent, for the test to look at */
const heard = [];
/** how many HTTP requests and upgrades have arrived */
let requests = 0;

const now = () => new Date().toISOString();

const server = createServer((request, response) => answer(request, response));
const io = new Server(server, {
  transports: ['websocket', 'polling'],
  pingInterval: Number(process.env.PING_INTERVAL ?? 25_000),
  pingTimeout: Number(process.env.PING_TIMEOUT ?? 20_000),
  maxHttpBufferSize: 65_536,
});
const jobs = io.of('/jobs');

jobs.use((socket, next) => {
  heard.push({ event: 'connect', auth: socket.handshake.auth });
  if (cookie(socket.handshake.headers.cookie) === TOKEN) next();
  else next(new Error('Authentication failed'));
});

jobs.on('connection', (socket) => {
  socket.join(`user:${USER}`);
  socket.onAny((event, body) => heard.push({ event, body }));
  socket.on('subscribe:jobs', (...args) => {
    const ack = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    const id = args[0]?.jobId;
    if (id === undefined) {
      ack({ success: true, room: `user:${USER}`, message: 'Already subscribed to user updates' });
    } else if (rows.get(id)?.userId !== USER) {
      ack({ success: false, message: 'Forbidden' });
    } else {
      socket.join(`job:${id}`);
      if (cached.has(id)) socket.emit('job:progress', cached.get(id));
      ack({ success: true, room: `job:${id}`, message: 'Subscribed to job updates' });
    }
  });
  socket.on('unsubscribe:jobs', (...args) => {
    const ack = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    const id = args[0]?.jobId;
    if (id !== undefined) socket.leave(`job:${id}`);
    ack(id === undefined ? { success: true } : { success: true, room: `job:${id}` });
  });
});

/** To the job's room and to its owner's, separately: whoever is in both gets it twice. */
function emit(id, event, body) {
  jobs.to(`job:${id}`).emit(event, body);
  jobs.to(`user:${rows.get(id).userId}`).emit(event, body);
}

function row(id) {
  const found = rows.get(id);
  if (!found) throw new Error(`no job ${id}`);
  return found;
}

function update(id, fields) {
  Object.assign(row(id), fields, { updatedAt: now() });
}

const commands = {
  /** A job is accepted; `user` other than u1 makes it somebody else's. */
  add({ job, name = 'process-pdf', user = USER }) {
    const at = now();
    rows.set(job, {
      id: `row-${job}`, jobId: job, name, queueName: 'pdf-ultra-optimized', status: 'waiting',
      progress: 0, failedReason: null, finishedAt: null, failedAt: null,
      opts: { priority: 10, attempts: 3 }, data: { fileId: 'f1', fileName: 'a.pdf', userId: user },
      attempts: 0, priority: null, userId: user, timestamp: at, createdAt: at, updatedAt: at,
    });
  },
  progress({ job, progress, message, status = 'in_progress' }) {
    update(job, { status: 'processing', progress });
    const event = { jobId: job, status, progress, message, timestamp: now() };
    cached.set(job, event);
    emit(job, 'job:progress', event);
  },
  /** Progress that only HTTP knows. */
  silently({ job, ...fields }) {
    const { do: _, ...row } = fields;
    update(job, row);
  },
  complete({ job, result = { noteId: 'n1' } }) {
    emit(job, 'job:completed', { jobId: job, status: 'completed', result, timestamp: now() });
    emit(job, 'job:completed', { jobId: job, status: 'completed', result: { ...result, userId: USER }, timestamp: now() });
    update(job, { status: 'completed', progress: 100, finishedAt: now() });
  },
  /** An attempt fails: the event's text is useless, the row has the reason. The last one is final. */
  fail({ job, reason, final = true }) {
    const { attempts } = row(job);
    emit(job, 'job:error', { jobId: job, status: 'failed', error: '[object Object]', timestamp: now() });
    update(job, { attempts: attempts + 1, failedReason: reason, failedAt: now() });
    update(job, final ? { status: 'failed', finishedAt: now() } : { status: 'processing', progress: 0 });
  },
  chunk({ job, chunk, accumulated = chunk }) {
    jobs.to(`job:${job}`).emit('job:notes:chunk', { jobId: job, chunk, accumulated, timestamp: now() });
  },
  heard: () => heard,
  requests: () => requests,
  sockets: () => jobs.sockets.size,
  cut: () => cut(io),
  /** A polite goodbye in the namespace only. */
  kick: () => jobs.disconnectSockets(false),
  shut(command) {
    door.shut(command);
    cut(io);
  },
  open: () => door.open(),
};

function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const send = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const refuse = (status, error, message = error) =>
    send(status, { message, error, statusCode: status, requestId: 'r1' });
  if (pathname === '/health') return send(200, { status: 'ok' });
  const token = request.headers.authorization?.replace(/^Bearer /, '') ?? cookie(request.headers.cookie);
  if (token !== TOKEN) return refuse(401, 'Unauthorized');
  if (pathname === '/auth/me') return send(200, { id: USER });
  if (pathname === '/jobs/user/me') {
    const mine = [...rows.values()].filter((it) => it.userId === USER).reverse();
    const listed = mine.slice(0, Number(searchParams.get('limit') ?? 50));
    return send(200, { success: true, count: listed.length, jobs: listed });
  }
  const id = /^\/jobs\/([^/]+)$/.exec(pathname)?.[1];
  if (id === undefined) return refuse(404, 'Not Found', `Cannot GET ${pathname}`);
  const found = rows.get(decodeURIComponent(id));
  if (!found) return refuse(404, 'Not Found', 'Job not found');
  if (found.userId !== USER) return refuse(403, 'Forbidden', 'Not your job');
  return send(200, { success: true, job: found });
}

function cookie(header = '') {
  return /(?:^|;\s*)access_token=([^;]*)/.exec(header)?.[1];
}

const door = gate(server);
server.prependListener('request', () => void requests++);
server.prependListener('upgrade', () => void requests++);
obey(await listen(server), commands);
