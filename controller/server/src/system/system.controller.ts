import type { LiveEvent, SystemView } from '@espalier/proto/api';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Header,
  type MessageEvent,
  Req,
  Res,
  Sse,
} from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { concat, from, interval, map, merge, type Observable, Subject, takeUntil } from 'rxjs';
import { Public } from '../access/principal.js';
import { EventBus, type NumberedEvent } from '../common/events.js';
import { MetricsService } from './metrics.service.js';
import { SystemStatus } from './system-status.js';

/** Proxies close a silent connection; a comment now and then keeps it. */
const KEEP_ALIVE_MS = 20_000;

@ApiTags('system')
@Controller()
export class SystemController implements BeforeApplicationShutdown {
  readonly #over = new Subject<void>();

  constructor(
    private readonly status: SystemStatus,
    private readonly metrics: MetricsService,
    private readonly bus: EventBus,
  ) {}

  @Get('api/v1/system')
  system(): Promise<SystemView> {
    return this.status.view();
  }

  /** For load balancers and systemd: 200 while everything the controller needs is there, else 503 and what is not. */
  @Public()
  @Get('health')
  async health(@Res({ passthrough: true }) response: Response) {
    const health = await this.status.health();
    response.status(health.ok ? 200 : 503);
    return health;
  }

  @Public()
  @ApiExcludeEndpoint()
  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  text(@Req() request: Request): Promise<string> {
    this.metrics.admit(request.socket.remoteAddress ?? '', request.headers.authorization ?? '');
    return this.metrics.text();
  }

  /** What changed, as server-sent events; resumed by Last-Event-ID [HTML, 9.2.3]. A client that missed too much starts anew. */
  @Sse('api/v1/events')
  events(@Req() request: Request): Observable<MessageEvent> {
    const last = Number(request.headers['last-event-id'] ?? Number.NaN);
    const missed = Number.isFinite(last) ? this.bus.since(last) : [];
    const everything: LiveEvent = { kind: 'system', id: 'all', at: new Date().toISOString() };
    const first = missed === null ? from([{ id: '0', data: everything }]) : from(missed.map(toMessage));
    const alive = interval(KEEP_ALIVE_MS).pipe(map(() => ({ data: { ...everything, id: 'alive' } })));
    return concat(first, merge(this.bus.stream().pipe(map(toMessage)), alive)).pipe(takeUntil(this.#over));
  }

  /** A stream never ends by itself, and the server waits for its requests before it closes. */
  beforeApplicationShutdown(): void {
    this.#over.next();
  }
}

const toMessage = ({ number, event }: NumberedEvent): MessageEvent => ({ id: String(number), data: event });
