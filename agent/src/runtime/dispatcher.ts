/** How the requests of one model reach its workers: admitted or refused, queued, put together, run, answered. */
import type { CodedError } from '@espalier/proto';
import { DeadlineExceeded, Overloaded, QueueFull } from '../errors.js';
import { admit } from './batching/admission.js';
import { nextDispatch } from './batching/next-dispatch.js';
import { type Priority, RequestQueue } from './batching/request-queue.js';
import type { Crew } from './crew.js';
import { type InferenceResult, type Pending, runBatch } from './inference.js';
import { rowsOfRequest } from './layout.js';
import type { Pace } from './pace.js';
import type { PoolStatistics } from './pool-statistics.js';
import type { SlabPool } from './slabs.js';
import { type InputTensors, sizeOf } from './values.js';
import { Vigilance } from './vigilance.js';
import type { Seat } from './worker-set.js';

export interface InferOptions {
  readonly arrivedMs?: number;
  readonly deadlineMs?: number;
  readonly priority?: Priority;
}

export interface QueueSettings {
  readonly queueLimit: number;
  readonly queueBytes: number;
  /** Milliseconds in which a request is to be answered when it does not say so itself; null for no limit. */
  readonly latencyLimitMs: number | null;
  /** CPUs that the process may use. */
  readonly cpus: number;
  readonly now: () => number;
}

export interface DispatcherParts {
  readonly crew: Crew;
  readonly pace: Pace;
  /** Null for a model whose requests cannot lie in slabs. */
  readonly slabs: SlabPool | null;
  /** Threads of a worker while no plan says. */
  readonly threads: number;
  readonly statistics: PoolStatistics;
}

const AGEING_MS = 2000;
/**
 * Of the limit that holds for requests without a time of their own. The rest is for what the pool does not see: the way
 * there and back, and the time until the event loop has read the request. On a busy two-core machine 0.8 answered 10 points
 * more of the requests within the limit, as their clients saw it, than 1; 0.6 was no better.
 */
const OWN_SHARE = 0.8;

export class Dispatcher {
  readonly #queue: RequestQueue<Pending>;
  readonly #vigilance = new Vigilance();
  #running = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly settings: QueueSettings,
    private readonly parts: DispatcherParts,
  ) {
    const { queueLimit: count, queueBytes: bytes } = settings;
    this.#queue = new RequestQueue({ count, bytes, ageingMs: AGEING_MS });
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** True while nothing waits or runs. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#running === 0;
  }

  /** @throws ESP_QUEUE_FULL, ESP_OVERLOADED, ESP_DEADLINE_EXCEEDED, ESP_INFERENCE_FAILED, ESP_WORKER_GONE */
  infer(feeds: InputTensors, options: InferOptions = {}): Promise<InferenceResult> {
    const { crew, pace, slabs } = this.parts;
    if (crew.gone) return Promise.reject(crew.gone);
    const { now, latencyLimitMs, queueLimit } = this.settings;
    const nowMs = now();
    const { arrivedMs = nowMs, priority = 'normal' } = options;
    const deadlineMs =
      options.deadlineMs ??
      (latencyLimitMs === null ? Number.POSITIVE_INFINITY : arrivedMs + OWN_SHARE * latencyLimitMs);
    const rows = (slabs && rowsOfRequest(slabs.layout, feeds)) ?? 1;
    pace.arrived(nowMs, rows);
    const refused = this.#refuse(rows, deadlineMs, nowMs);
    if (refused) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const request = { feeds, rows, deadlineMs, priority, arrivedMs, resolve, reject };
      const seat = this.#atOnce(rows, deadlineMs, nowMs);
      if (seat) return this.#start(seat, [{ ...request, bytes: 0 }], nowMs);
      const bytes = Object.values(feeds).reduce((sum, tensor) => sum + sizeOf(tensor), 0);
      if (!this.#queue.push({ ...request, bytes })) return reject(QueueFull({ limit: queueLimit }));
      this.pump();
    });
  }

  /**
   * The idle worker that takes a request without a look at the others: there are none, and none is worth waiting for. The
   * rule would come to the same; on a device that has little to do, its lists are most of what the pool costs.
   */
  #atOnce(rows: number, deadlineMs: number, nowMs: number): Seat | null {
    const { crew, pace } = this.parts;
    const isAlone = this.#queue.length === 0 && nowMs < deadlineMs;
    return isAlone && (rows >= pace.optimal || deadlineMs === Number.POSITIVE_INFINITY) ? crew.pick(1) : null;
  }

  /** Gives work to workers while there is both. */
  pump(): void {
    while (this.#queue.length > 0 && this.#dispatch());
  }

  /** Answers what waits with why nothing runs any more. */
  end(cause: CodedError): void {
    if (this.#timer) clearTimeout(this.#timer);
    for (const { reject } of this.#queue.clear()) reject(cause);
  }

  #refuse(rows: number, deadlineMs: number, nowMs: number): CodedError | null {
    const { pace, crew } = this.parts;
    if (!pace.curve || deadlineMs === Number.POSITIVE_INFINITY || this.#queue.length === 0) return null;
    const load = { backlogRows: this.#queue.rows, workers: crew.count, optimal: pace.optimal };
    const admission = admit({ rows, deadlineMs }, pace.curve, load, nowMs);
    return admission.ok ? null : Overloaded({ retryAfterMs: admission.retryAfterMs });
  }

  /** One decision; false when there is nothing more to do now. */
  #dispatch(): boolean {
    const { crew, pace, statistics } = this.parts;
    const seat = crew.pick(pace.depth(this.#queue.rows));
    if (!seat) return false;
    const nowMs = this.settings.now();
    const startMs = seat.inFlight > 0 ? Math.max(nowMs, seat.freeAtMs) : nowMs;
    const lead = this.#queue.lead(2 * pace.largest, nowMs);
    if (!pace.curve) {
      this.#take(seat, lead.slice(0, 1), nowMs);
      return true;
    }
    const { drop, take, waitUntilMs } = nextDispatch(lead, pace.curve, startMs, pace.limits);
    this.#queue.remove(drop, false);
    for (const request of drop) request.reject(DeadlineExceeded({ waitedMs: Math.round(nowMs - request.arrivedMs) }));
    statistics.dropped += drop.length;
    if (take.length > 0) this.#take(seat, take, nowMs);
    else if (waitUntilMs !== null) this.#wakeAt(waitUntilMs - nowMs);
    return take.length > 0 || drop.length > 0;
  }

  #take(seat: Seat, take: readonly Pending[], nowMs: number): void {
    this.#queue.remove(take, true);
    this.#start(seat, take, nowMs);
  }

  #start(seat: Seat, take: readonly Pending[], nowMs: number): void {
    const { crew, pace, slabs, statistics, threads } = this.parts;
    const rows = take.reduce((sum, request) => sum + request.rows, 0);
    const beginMs = seat.inFlight > 0 ? Math.max(nowMs, seat.freeAtMs) : nowMs;
    if (seat.inFlight++ === 0) seat.sinceMs = nowMs;
    seat.freeAtMs = beginMs + (pace.curve?.latencyMs(rows) ?? 0);
    this.#running++;
    const { now } = this.settings;
    const { stayMs, lookMs } = this.#vigilance.at({
      spareCpus: this.settings.cpus - crew.busy * (pace.plan?.threads ?? threads),
      isAlone: crew.busy === 1 && this.#queue.length === 0,
      runMs: pace.curve?.latencyMs(rows) ?? Number.POSITIVE_INFINITY,
    });
    crew.stay(stayMs);
    void runBatch(seat, take, { slabs, largest: pace.largest, now, lookMs }).then(() => {
      const doneMs = now();
      pace.record(rows, doneMs - Math.max(nowMs, seat.sinceMs));
      statistics.batch(rows, doneMs - nowMs);
      this.#running--;
      crew.finished(seat);
    });
  }

  #wakeAt(inMs: number): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.pump();
    }, inMs);
  }
}
