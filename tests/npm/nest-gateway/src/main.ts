// A NestJS server over real BullMQ queues: with a Socket.IO gateway, as the wallet analyzer's document
// describes it, and beside it as a dashboard.
import 'reflect-metadata';
import type { Server as HttpServer } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
// @ts-expect-error plain JavaScript shared with the other servers
import { listen, obey } from '../../lib/control.mjs';
// @ts-expect-error plain JavaScript shared with the other servers
import { cut, gate } from '../../lib/gate.mjs';
import { BoardController, hints, runOf } from './board.js';
import { JobsController } from './jobs.controller.js';
import { JobsGateway } from './jobs.gateway.js';
import { Queues, type Step } from './queues.js';
import { startRedis } from './redis.js';

const redis = await startRedis();
const queues = await Queues.start(redis);

@Module({
  controllers: [JobsController, BoardController],
  providers: [JobsGateway, { provide: Queues, useValue: queues }],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.useWebSocketAdapter(new IoAdapter(app));
await app.init();
const server = app.getHttpServer() as HttpServer;
const gateway = app.get(JobsGateway);
const logged = hints(server, queues);
const door = gate(server);

interface Add {
  job: string;
  queue?: string;
  name?: string;
  data?: object;
  attempts?: number;
}

const tell = ({ job, ...step }: { job: string } & Step) => queues.tell(job, step);

const commands = {
  async add({ job, queue = 'similarity-operations', name = 'similarity-analysis-flow', data = {}, attempts = 1 }: Add) {
    await queues.queues.get(queue)?.add(name, data, {
      jobId: job,
      attempts,
      backoff: { type: 'fixed', delay: 20 },
    });
  },
  progress: tell,
  async log(command: { job: string } & Step) {
    await tell(command);
    await logged(command.job);
  },
  /** The dashboard's id of a job's run. */
  async run({ job }: { job: string }) {
    const found = await queues.find(job);
    return found ? runOf(found) : null;
  },
  complete: tell,
  fail: tell,
  heard: () => gateway.heard,
  sockets: () => gateway.server.sockets.sockets.size,
  cut: () => cut(gateway.server),
  shut(command: { everything?: boolean }) {
    door.shut(command);
    cut(gateway.server);
  },
  open: () => door.open(),
};

obey(await listen(server), commands, async () => {
  await queues.stop();
  await redis.stop();
});
