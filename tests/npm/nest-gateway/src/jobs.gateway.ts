// The socket half: clients name the jobs and queues they care about, and BullMQ's own events are
// passed on to them.
import { Inject, OnModuleInit } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { Queues } from './queues.js';

@WebSocketGateway({ cors: { origin: true, credentials: true } })
export class JobsGateway implements OnGatewayConnection, OnModuleInit {
  @WebSocketServer()
  readonly server!: Server;

  /** What clients have sent, for the test to look at. */
  readonly heard: { event: string; body: unknown }[] = [];

  constructor(@Inject(Queues) private readonly queues: Queues) {}

  onModuleInit(): void {
    for (const [queue, events] of this.queues.events) {
      events.on('active', ({ jobId }) => void this.started(queue, jobId));
      events.on('progress', ({ jobId, data }) => {
        this.emit(queue, 'job-progress', jobId, {
          progress: typeof data === 'number' || typeof data === 'object' ? data : { status: data },
        });
      });
      events.on('completed', ({ jobId }) => void this.completed(queue, jobId));
      events.on('failed', ({ jobId, failedReason }) => void this.failed(queue, jobId, failedReason));
    }
  }

  handleConnection(socket: Socket): void {
    socket.onAny((event: string, body: unknown) => this.heard.push({ event, body }));
    socket.emit('connected', {
      message: 'Connected to job progress updates',
      clientId: socket.id,
      timestamp: Date.now(),
    });
  }

  @SubscribeMessage('subscribe-to-job')
  subscribeToJob(@MessageBody() body: { jobId: string }, @ConnectedSocket() socket: Socket): void {
    void socket.join(`job:${body.jobId}`);
  }

  @SubscribeMessage('unsubscribe-from-job')
  unsubscribeFromJob(@MessageBody() body: { jobId: string }, @ConnectedSocket() socket: Socket): void {
    void socket.leave(`job:${body.jobId}`);
  }

  @SubscribeMessage('subscribe-to-queue')
  subscribeToQueue(@MessageBody() body: { queueName: string }, @ConnectedSocket() socket: Socket): void {
    void socket.join(`queue:${body.queueName}`);
  }

  private async started(queue: string, id: string): Promise<void> {
    const job = await this.queues.find(id);
    if (!job?.processedOn) return;
    this.emit(queue, 'job-queue-to-start', id, { queueToStartTime: job.processedOn - job.timestamp });
  }

  private async completed(queue: string, id: string): Promise<void> {
    const job = await this.queues.find(id);
    if (!job) return;
    const finished = job.finishedOn ?? Date.now();
    this.emit(queue, 'job-completed', id, {
      result: job.returnvalue,
      processingTime: finished - (job.processedOn ?? finished),
      totalTime: finished - job.timestamp,
    });
  }

  /** Only the attempt that no other follows is told. */
  private async failed(queue: string, id: string, error: string): Promise<void> {
    const job = await this.queues.find(id);
    const maxAttempts = job?.opts.attempts ?? 1;
    const attempts = job?.attemptsMade ?? maxAttempts;
    if (attempts < maxAttempts) return;
    this.emit(queue, 'job-failed', id, { error, attempts, maxAttempts });
  }

  private emit(queue: string, event: string, jobId: string, body: object): void {
    this.server
      .to([`job:${jobId}`, `queue:${queue}`])
      .emit(event, { jobId, queue, ...body, timestamp: Date.now() });
  }
}
