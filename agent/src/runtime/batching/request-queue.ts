/**
 * Requests that wait, bounded in count and bytes. Classes share the device by weight (the class that had least for its
 * weight is next); within a class the earliest deadline is first. Who has waited too long comes before all of them.
 */
import type { Waiting } from './next-dispatch.js';

export type Priority = 'high' | 'normal' | 'low';

export interface Queued extends Waiting {
  readonly priority: Priority;
  readonly arrivedMs: number;
  readonly bytes: number;
}

export interface QueueBounds {
  readonly count: number;
  readonly bytes: number;
  /** A request older than this is served before every younger one, whatever their classes. */
  readonly ageingMs: number;
}

const WEIGHTS: Readonly<Record<Priority, number>> = { high: 8, normal: 4, low: 1 };
const PRIORITIES = Object.keys(WEIGHTS) as Priority[];

interface Lane<R> {
  readonly weight: number;
  /** Earliest deadline first; equal ones in the order they came. */
  readonly requests: R[];
  /** Rows served for its weight. */
  served: number;
}

/** Where a request belongs in a lane. */
function placeOf(requests: readonly Waiting[], deadlineMs: number): number {
  let low = 0;
  let high = requests.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (requests[middle]!.deadlineMs <= deadlineMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class RequestQueue<R extends Queued> {
  readonly #lanes = new Map<Priority, Lane<R>>(
    PRIORITIES.map((priority) => [priority, { weight: WEIGHTS[priority], requests: [], served: 0 }]),
  );
  #count = 0;
  #rows = 0;
  #bytes = 0;

  constructor(private readonly bounds: QueueBounds) {}

  get length(): number {
    return this.#count;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when the request would pass a bound: it was not taken. A single request may always wait. */
  push(request: R): boolean {
    if (this.#count >= this.bounds.count) return false;
    if (this.#count > 0 && this.#bytes + request.bytes > this.bounds.bytes) return false;
    const lane = this.#lane(request);
    // A class that was idle has saved nothing up meanwhile.
    if (lane.requests.length === 0) lane.served = Math.max(lane.served, this.#leastServed());
    lane.requests.splice(placeOf(lane.requests, request.deadlineMs), 0, request);
    this.#account(request, 1);
    return true;
  }

  /** The next requests in order of service, at least `rows` rows of them while there are so many. */
  lead(rows: number, nowMs: number): R[] {
    const aged = this.#aged(nowMs);
    const lanes = [...this.#lanes.values()].map((lane) => ({ ...lane, at: 0 }));
    const lead: R[] = [...aged];
    let found = lead.reduce((sum, request) => sum + request.rows, 0);
    while (found < rows) {
      for (const lane of lanes) while (aged.has(lane.requests[lane.at]!)) lane.at++;
      const open = lanes.filter(({ at, requests }) => at < requests.length);
      if (open.length === 0) break;
      const next = open.reduce((a, b) => (b.served < a.served ? b : a));
      const request = next.requests[next.at++]!;
      next.served += request.rows / next.weight;
      lead.push(request);
      found += request.rows;
    }
    return lead;
  }

  /** Takes requests out; `served` when they run and are counted as their class's share. */
  remove(requests: readonly R[], served: boolean): void {
    for (const request of requests) {
      const lane = this.#lane(request);
      const at = lane.requests.indexOf(request);
      if (at < 0) continue;
      lane.requests.splice(at, 1);
      this.#account(request, -1);
      if (served) lane.served += request.rows / lane.weight;
    }
  }

  /** Requests whose deadline comes before a time. */
  dueBefore(atMs: number): R[] {
    return [...this.#lanes.values()].flatMap(({ requests }) => requests.slice(0, placeOf(requests, atMs)));
  }

  /** Takes everything out. */
  clear(): R[] {
    const all = [...this.#lanes.values()].flatMap(({ requests }) => requests.splice(0));
    this.#count = this.#rows = this.#bytes = 0;
    return all;
  }

  #aged(nowMs: number): Set<R> {
    const oldest = [...this.#lanes.values()]
      .flatMap(({ requests }) => requests)
      .filter(({ arrivedMs }) => nowMs - arrivedMs > this.bounds.ageingMs);
    return new Set(oldest.sort((a, b) => a.arrivedMs - b.arrivedMs));
  }

  #leastServed(): number {
    const busy = [...this.#lanes.values()].filter(({ requests }) => requests.length > 0);
    return busy.length > 0 ? Math.min(...busy.map(({ served }) => served)) : 0;
  }

  #account({ rows, bytes }: R, sign: 1 | -1): void {
    this.#count += sign;
    this.#rows += sign * rows;
    this.#bytes += sign * bytes;
  }

  #lane({ priority }: R): Lane<R> {
    return this.#lanes.get(priority)!;
  }
}
