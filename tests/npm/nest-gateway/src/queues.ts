// Real BullMQ queues and workers. What a job does is told step by step by the test.
import { Job, Queue, QueueEvents, Worker } from 'bullmq';
import type { OwnRedis } from './redis.js';

export const QUEUES = [
  'wallet-operations',
  'analysis-operations',
  'similarity-operations',
  'enrichment-operations',
];

/** What a worker is told to do next with its job. */
export type Step =
  | { do: 'progress'; progress: number | object }
  | { do: 'log'; text: string }
  | { do: 'complete'; result?: unknown }
  | { do: 'fail'; error: string };

interface Told {
  step: Step;
  done: () => void;
}

/** The steps of one job that no worker has taken yet, and the worker that waits for one. */
class Inbox {
  private told: Told[] = [];
  private waiting: ((told: Told) => void) | null = null;

  tell(step: Step): Promise<void> {
    return new Promise((done) => {
      const told = { step, done };
      if (this.waiting) this.waiting(told);
      else this.told.push(told);
      this.waiting = null;
    });
  }

  next(): Promise<Told> {
    const told = this.told.shift();
    return told ? Promise.resolve(told) : new Promise((resolve) => (this.waiting = resolve));
  }
}

export class Queues {
  readonly queues = new Map<string, Queue>();
  readonly events = new Map<string, QueueEvents>();
  private readonly workers: Worker[] = [];
  private readonly inboxes = new Map<string, Inbox>();

  static async start(redis: OwnRedis): Promise<Queues> {
    const all = new Queues();
    const connection = redis.options;
    for (const name of QUEUES) {
      const queue = new Queue(name, { connection });
      const events = new QueueEvents(name, { connection });
      const worker = new Worker(name, (job) => all.work(job), { connection, concurrency: 10 });
      all.queues.set(name, queue);
      all.events.set(name, events);
      all.workers.push(worker);
      await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
    }
    return all;
  }

  /** Tells the job's worker what to do and resolves once it has begun to. */
  tell(id: string, step: Step): Promise<void> {
    return this.inbox(id).tell(step);
  }

  async find(id: string): Promise<Job | undefined> {
    for (const queue of this.queues.values()) {
      const job = await queue.getJob(id);
      if (job) return job;
    }
    return undefined;
  }

  async stop(): Promise<void> {
    // Workers are closed by force: their jobs wait for steps that will not come.
    await Promise.allSettled(this.workers.map((worker) => worker.close(true)));
    await Promise.allSettled([...this.events.values()].map((events) => events.close()));
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
  }

  private async work(job: Job): Promise<unknown> {
    const inbox = this.inbox(job.id ?? '');
    for (;;) {
      const { step, done } = await inbox.next();
      switch (step.do) {
        case 'progress':
          await job.updateProgress(step.progress);
          done();
          break;
        case 'log':
          await job.log(step.text);
          done();
          break;
        case 'complete':
          done();
          return step.result ?? {};
        case 'fail':
          done();
          throw new Error(step.error);
      }
    }
  }

  private inbox(id: string): Inbox {
    let inbox = this.inboxes.get(id);
    if (!inbox) this.inboxes.set(id, (inbox = new Inbox()));
    return inbox;
  }
}
