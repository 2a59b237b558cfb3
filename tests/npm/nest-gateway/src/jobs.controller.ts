// The HTTP half, behind a key in a header.
import {
  BadRequestException,
  CanActivate,
  Controller,
  Delete,
  ExecutionContext,
  Get,
  Inject,
  Injectable,
  NotFoundException,
  Param,
  Query,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import type { Job, JobType, Queue } from 'bullmq';
import { QUEUES, Queues } from './queues.js';

const STATUSES = ['waiting', 'active', 'completed', 'failed', 'delayed'];

@Injectable()
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    const key = headers['x-api-key'];
    if (key === undefined) throw new UnauthorizedException('API key is missing.');
    if (key !== (process.env.API_KEY ?? 'nest-key')) throw new UnauthorizedException('Invalid API key.');
    return true;
  }
}

@Controller('api/v1/jobs')
@UseGuards(KeyGuard)
export class JobsController {
  constructor(@Inject(Queues) private readonly queues: Queues) {}

  @Get()
  async all(): Promise<object> {
    const queues = await Promise.all([...this.queues.queues.values()].map(stats));
    const totalJobs = queues.reduce((sum, it) => sum + it.waiting + it.active + it.completed + it.failed, 0);
    return { queues, totalJobs, timestamp: new Date().toISOString() };
  }

  @Get('queue/:queue/stats')
  stats(@Param('queue') name: string): Promise<object> {
    return stats(this.queue(name));
  }

  @Get('queue/:queue/jobs')
  async inQueue(
    @Param('queue') name: string,
    @Query('status') status?: string,
    @Query('limit') limit = '10',
  ): Promise<object> {
    if (status !== undefined && !STATUSES.includes(status)) throw new BadRequestException('Unknown status');
    const types = (status === undefined ? ['waiting', 'active'] : [status]) as JobType[];
    const found = await this.queue(name).getJobs(types, 0, Number(limit) - 1);
    const jobs = found.map((job) => describe(job));
    return { jobs, total: jobs.length, limit: Number(limit), offset: 0 };
  }

  @Get(':id')
  async one(@Param('id') id: string): Promise<object> {
    return describe(await this.find(id));
  }

  @Get(':id/progress')
  async progress(@Param('id') id: string): Promise<object> {
    const { status, progress } = describe(await this.find(id));
    return { jobId: id, status, progress };
  }

  @Get(':id/result')
  async result(@Param('id') id: string): Promise<object> {
    const { status, result, error } = describe(await this.find(id));
    return { jobId: id, status, result, error };
  }

  @Get(':id/logs')
  async logs(@Param('id') id: string): Promise<object> {
    const job = await this.find(id);
    const { logs, count } = await this.queue(job.queueName).getJobLogs(id);
    return { jobId: id, logs, count };
  }

  @Delete(':id')
  async cancel(@Param('id') id: string): Promise<object> {
    await (await this.find(id)).remove();
    return { success: true, message: `Job ${id} was successfully cancelled.` };
  }

  private queue(name: string): Queue {
    const queue = this.queues.queues.get(name);
    if (!queue) throw new BadRequestException(`Unknown queue; there are ${QUEUES.join(', ')}`);
    return queue;
  }

  private async find(id: string): Promise<Job> {
    const job = await this.queues.find(id);
    if (!job) throw new NotFoundException(`Job with ID ${id} not found in any queue`);
    return job;
  }
}

async function stats(queue: Queue) {
  const counts = await queue.getJobCounts('waiting', 'active', 'completed', 'failed');
  const count = (name: string) => counts[name] ?? 0;
  return {
    queueName: queue.name,
    waiting: count('waiting'),
    active: count('active'),
    completed: count('completed'),
    failed: count('failed'),
    delayed: 0,
    paused: 0,
  };
}

/** The status is worked out from the times, so a job that succeeded on its second attempt, whose
 * reason of failure BullMQ keeps, still says failed. */
function describe(job: Job) {
  const status = job.finishedOn
    ? job.failedReason
      ? 'failed'
      : 'completed'
    : job.processedOn
      ? 'active'
      : 'waiting';
  const iso = (at?: number) => (at ? new Date(at).toISOString() : undefined);
  return {
    id: job.id,
    name: job.name,
    queue: job.queueName,
    status,
    progress: job.progress,
    data: job.data as unknown,
    result: (job.returnvalue ?? null) as unknown,
    error: job.failedReason,
    createdAt: iso(job.timestamp),
    processedAt: iso(job.processedOn),
    finishedAt: iso(job.finishedOn),
    attempts: job.attemptsMade,
    maxAttempts: job.opts.attempts ?? 1,
  };
}
