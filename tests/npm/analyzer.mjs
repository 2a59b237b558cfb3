// An analysis server on the official socket.io package: root namespace, no acks, nothing for those
// who did not subscribe, times in epoch milliseconds on the socket and ISO 8601 over HTTP.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen, obey } from './lib/control.mjs';
import { cut, gate } from './lib/gate.mjs';

const KEY = process.env.API_KEY ?? 'analyzer-key';
const QUEUES = ['wallet-operations', 'analysis-operations', 'similarity-operations', 'enrichment-operations'];

/** id -> the job as HTTP shows it */
const jobs = new Map();
const heard = [];
/** how many HTTP requests and upgrades have arrived */
let requests = 0;

const server = createServer((request, response) => answer(request, response));
const io = new Server(server, {
  cors: { origin: true, credentials: true },
  pingInterval: Number(process.env.PING_INTERVAL ?? 25_000),
  pingTimeout: Number(process.env.PING_TIMEOUT ?? 20_000),
});

io.on('connection', (socket) => {
  socket.emit('connected', {
    message: 'Connected to job progress updates', clientId: socket.id, timestamp: Date.now(),
  });
  // An ack that was asked for never comes: the last argument is left unanswered.
  socket.onAny((event, body) => heard.push({ event, body }));
  const exception = (pattern, data) =>
    socket.emit('exception', { status: 'error', message: 'Internal server error', cause: { pattern, data } });
  socket.on('subscribe-to-job', (body) => {
    if (body?.jobId === undefined) exception('subscribe-to-job', body ?? null);
    else socket.join(`job:${body.jobId}`);
  });
  socket.on('unsubscribe-from-job', (body) => {
    if (body?.jobId === undefined) exception('unsubscribe-from-job', body ?? null);
    else socket.leave(`job:${body.jobId}`);
  });
});

function emit(id, event, body) {
  const { queue } = find(id);
  io.to(`job:${id}`).emit(event, { jobId: id, queue, ...body, timestamp: Date.now() });
}

function find(id) {
  const job = jobs.get(id);
  if (!job) throw new Error(`no job ${id}`);
  return job;
}

const commands = {
  add({ job, name = 'similarity-analysis-flow', queue = 'similarity-operations', attempts = 3 }) {
    jobs.set(job, {
      id: job, name, queue, status: 'waiting', progress: 0, data: { requestId: 'r1' }, result: null,
      createdAt: new Date().toISOString(), attempts: 0, maxAttempts: attempts,
    });
  },
  start({ job }) {
    Object.assign(find(job), { status: 'active', processedAt: new Date().toISOString(), attempts: 1 });
    emit(job, 'job-queue-to-start', { queueToStartTime: 3 });
  },
  /** Twice, as the processor and the bridge each send it. */
  progress({ job, progress }) {
    Object.assign(find(job), { status: 'active', progress });
    emit(job, 'job-progress', { progress });
    emit(job, 'job-progress', { progress });
  },
  silently({ job, ...fields }) {
    const { do: _, ...changed } = fields;
    Object.assign(find(job), changed);
  },
  complete({ job, result = { success: true } }) {
    emit(job, 'job-completed', { result, processingTime: 777 });
    Object.assign(find(job), { status: 'completed', progress: 100, result, finishedAt: new Date().toISOString() });
    emit(job, 'job-completed', { result, processingTime: 777, totalTime: 744 });
  },
  fail({ job, reason }) {
    const { maxAttempts } = find(job);
    Object.assign(find(job), {
      status: 'failed', error: reason, attempts: maxAttempts, finishedAt: new Date().toISOString(),
    });
    emit(job, 'job-failed', { error: reason, attempts: maxAttempts, maxAttempts });
  },
  forget: ({ job }) => jobs.delete(job) && undefined,
  heard: () => heard,
  requests: () => requests,
  sockets: () => io.of('/').sockets.size,
  cut: () => cut(io),
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
  const refuse = (status, error, message) => send(status, { message, error, statusCode: status });
  const [, rest] = /^\/api\/v1(\/.*)$/.exec(pathname) ?? [];
  if (rest === undefined) return refuse(404, 'Not Found', `Cannot GET ${pathname}`);
  if (rest === '/health') return send(200, { status: 'ok' });
  const key = request.headers['x-api-key'];
  if (key === undefined) return refuse(401, 'Unauthorized', 'API key is missing.');
  if (key !== KEY) return refuse(401, 'Unauthorized', 'Invalid API key.');
  const inQueue = (queue) => [...jobs.values()].filter((it) => it.queue === queue);
  const counts = (queueName) => {
    const count = (status) => inQueue(queueName).filter((it) => it.status === status).length;
    return {
      queueName, waiting: count('waiting'), active: count('active'), completed: count('completed'),
      failed: count('failed'), delayed: 0, paused: 0,
    };
  };
  if (rest === '/jobs') {
    return send(200, { queues: QUEUES.map(counts), totalJobs: jobs.size, timestamp: new Date().toISOString() });
  }
  const [, queue, what] = /^\/jobs\/queue\/([^/]+)\/(jobs|stats)$/.exec(rest) ?? [];
  if (what === 'stats') return send(200, counts(queue));
  if (what === 'jobs') {
    const status = searchParams.get('status');
    const wanted = status ? [status] : ['waiting', 'active'];
    const limit = Number(searchParams.get('limit') ?? 10);
    const listed = inQueue(queue).filter((it) => wanted.includes(it.status)).slice(0, limit);
    return send(200, { jobs: listed, total: listed.length, limit, offset: 0 });
  }
  const [, id, part] = /^\/jobs\/([^/]+)(?:\/(progress|result))?$/.exec(rest) ?? [];
  const job = id === undefined ? undefined : jobs.get(decodeURIComponent(id));
  if (!job) return refuse(404, 'Not Found', `Job with ID ${id} not found in any queue`);
  if (request.method === 'DELETE') {
    if (job.status !== 'waiting') return refuse(500, undefined, 'Internal server error');
    jobs.delete(job.id);
    return send(200, { success: true, message: `Job ${job.id} was successfully cancelled.` });
  }
  if (part === 'progress') return send(200, { jobId: job.id, status: job.status, progress: job.progress });
  if (part === 'result') return send(200, { jobId: job.id, status: job.status, result: job.result, error: job.error });
  return send(200, job);
}

const door = gate(server);
server.prependListener('request', () => void requests++);
server.prependListener('upgrade', () => void requests++);
obey(await listen(server), commands);
