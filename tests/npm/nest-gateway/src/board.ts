// The same queues as a BullMQ dashboard shows them, as Better Bull Board's document has it: hints on
// a plain WebSocket, everything else over HTTP. The log is what the jobs gave to BullMQ's `job.log`.
import { createHash } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import {
  Body,
  CanActivate,
  Controller,
  ExecutionContext,
  Get,
  HttpCode,
  Inject,
  Injectable,
  InternalServerErrorException,
  NotFoundException,
  Param,
  Post,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import type { Job, JobType, Queue } from 'bullmq';
import { WebSocketServer } from 'ws';
import { Queues } from './queues.js';

/** Where the hints are; the socket of a real dashboard has a port of its own. */
export const HINTS = '/board';

const STATUSES: JobType[] = ['waiting', 'active', 'completed', 'failed', 'delayed'];

/** The id of a run: BullMQ's own may come back. */
export function runOf(job: Pick<Job, 'queueName' | 'id' | 'timestamp'>): string {
  const hash = createHash('sha1').update(`${job.queueName}/${job.id}/${job.timestamp}`).digest('hex');
  return [hash.slice(0, 8), hash.slice(8, 12), `7${hash.slice(13, 16)}`, `8${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-');
}

@Injectable()
class BearerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    if (headers.authorization === `Bearer ${process.env.API_KEY ?? 'nest-key'}`) return true;
    throw new UnauthorizedException({ error: 'Authentication required' });
  }
}

@Controller('api')
@UseGuards(BearerGuard)
export class BoardController {
  constructor(@Inject(Queues) private readonly queues: Queues) {}

  @Post('jobs/table')
  @HttpCode(200)
  async table(@Body() body: { queue?: string; status?: JobType; search?: string; limit?: number }): Promise<object> {
    const rows: object[] = [];
    for (const queue of this.queues.queues.values()) {
      if (body.queue !== undefined && body.queue !== queue.name) continue;
      for (const job of await queue.getJobs(body.status ? [body.status] : STATUSES)) {
        if (body.search === undefined || job.id === body.search) rows.push(await row(queue, job, iso));
      }
    }
    return { jobs: rows.slice(0, body.limit ?? 20), nextCursor: null, prevCursor: null };
  }

  @Get('jobs/:run')
  async one(@Param('run') run: string): Promise<object> {
    const [queue, job] = await this.find(run);
    const more = { data: job.data as unknown, result: (job.returnvalue ?? null) as unknown, errorStack: job.stacktrace?.[0] ?? null };
    return { job: { ...(await row(queue, job, (at) => at ?? null)), ...more } };
  }

  @Post('jobs/logs')
  @HttpCode(200)
  async logs(@Body() body: { id: string; limit?: number; offset?: number }): Promise<object> {
    const found = await this.find(body.id).catch(() => null);
    if (found === null) return { logs: [], total: 0 };
    const [queue, job] = found;
    const first = body.offset ?? 0;
    const { logs, count } = await queue.getJobLogs(job.id ?? '', first, first + (body.limit ?? 100) - 1);
    const began = job.processedOn ?? job.timestamp;
    const entry = (message: string, at: number) => ({
      id: `${body.id}-${first + at}`, jobRunId: body.id, level: 'log', message, logSeq: first + at, ts: began + first + at,
    });
    return { logs: logs.map(entry), total: count };
  }

  /** Only of a failed job, as BullMQ has it. */
  @Post('jobs/replay')
  @HttpCode(200)
  async replay(@Body() body: { jobId: string; queueName: string }): Promise<object> {
    const job = await this.queues.queues.get(body.queueName)?.getJob(body.jobId);
    if (!job) throw new NotFoundException({ error: `Job ${body.jobId} not found` });
    await job.retry('failed');
    return { success: true, message: `Job ${body.jobId} has been replayed successfully` };
  }

  @Post('jobs/stats')
  @HttpCode(200)
  async stats(): Promise<object> {
    const sum = { active: 0, completed: 0, failed: 0 };
    for (const queue of this.queues.queues.values()) {
      const counts = await queue.getJobCounts('active', 'completed', 'failed');
      for (const name of ['active', 'completed', 'failed'] as const) sum[name] += counts[name] ?? 0;
    }
    return sum;
  }

  @Post('queues/table')
  @HttpCode(200)
  async queueTable(): Promise<object> {
    const describe = async (queue: Queue) => ({
      name: queue.name, isPaused: await queue.isPaused(), patterns: [], everys: [],
      waitingJobs: await queue.getWaitingCount(), activeJobs: await queue.getActiveCount(), pressure: 0, chartData: [],
    });
    const queues = await Promise.all([...this.queues.queues.values()].map(describe));
    return { queues, nextCursor: null, prevCursor: null, total: queues.length };
  }

  @Post('queues/stats')
  @HttpCode(200)
  queueStats(): object {
    return { total: this.queues.queues.size, active: this.queues.queues.size, withScheduler: 0 };
  }

  private async find(run: string): Promise<[Queue, Job]> {
    for (const queue of this.queues.queues.values()) {
      for (const job of await queue.getJobs(STATUSES)) if (runOf(job) === run) return [queue, job];
    }
    // The real one throws, and its framework answers with a page.
    throw new InternalServerErrorException();
  }
}

const iso = (at?: number | null) => (at ? new Date(at).toISOString() : null);

async function row(queue: Queue, job: Job, time: (at?: number | null) => unknown): Promise<object> {
  const began = job.processedOn ?? null;
  const ended = job.finishedOn ?? null;
  return {
    id: runOf(job), jobId: job.id, queue: queue.name, name: job.name, status: await job.getState(),
    attempt: Math.max(1, job.attemptsMade), maxAttempts: job.opts.attempts ?? 1,
    createdAt: time(job.timestamp), enqueuedAt: time(job.timestamp), startedAt: time(began), finishedAt: time(ended),
    durationMs: began !== null && ended !== null ? ended - began : null,
    errorMessage: job.failedReason ?? null, tags: null,
  };
}

/** Sends hints to whoever is connected; the answer says that a job's log has grown. */
export function hints(server: HttpServer, queues: Queues): (job: string) => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith(HINTS)) sockets.handleUpgrade(request, socket, head, () => undefined);
  });
  const say = (type: string, data: object) => {
    for (const client of sockets.clients) client.send(JSON.stringify({ type, data }));
  };
  const changed = async (type: string, id: string) => {
    const job = await queues.find(id);
    if (job) say(type, { jobId: runOf(job) });
  };
  for (const events of queues.events.values()) {
    for (const name of ['added', 'active', 'completed', 'failed'] as const) {
      events.on(name, ({ jobId }: { jobId: string }) => {
        say('job-refresh', { id: '1' });
        void changed('single-job-refresh', jobId);
      });
    }
  }
  return (job) => changed('job-log-refresh', job);
}
