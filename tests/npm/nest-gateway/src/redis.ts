// A Redis of our own: on a socket file in a directory of its own, nothing written, gone with us.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface OwnRedis {
  /** What ioredis and BullMQ connect to. */
  options: { path: string; maxRetriesPerRequest: null };
  stop(): Promise<void>;
}

export async function startRedis(): Promise<OwnRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'jobwatch-redis-'));
  const path = join(directory, 'redis.sock');
  const server = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', directory],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = once(server, 'exit');
  const options = { path, maxRetriesPerRequest: null };
  // ioredis tries until the socket file is there.
  const probe = new Redis({ ...options, retryStrategy: () => 50 });
  probe.on('error', () => {});
  await Promise.race([
    probe.ping(),
    ended.then(() => Promise.reject(new Error('redis-server ended at once'))),
  ]);
  probe.disconnect();
  return {
    options,
    async stop() {
      server.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
