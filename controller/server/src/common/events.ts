import type { LiveEvent } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { Observable, Subject } from 'rxjs';
import { Clock } from './clock.js';

/** A live event with the number under which a client may resume. */
export interface NumberedEvent {
  readonly number: number;
  readonly event: LiveEvent;
}

const KEPT_EVENTS = 500;

/** What changed, for those who watch: the web app reads the thing again. Nothing is decided from these events. */
@Injectable()
export class EventBus {
  readonly #subject = new Subject<NumberedEvent>();
  readonly #kept: NumberedEvent[] = [];
  #number = 0;

  constructor(private readonly clock: Clock) {}

  emit(kind: LiveEvent['kind'], id: string): void {
    const numbered = { number: ++this.#number, event: { kind, id, at: this.clock.now().toISOString() } };
    this.#kept.push(numbered);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    this.#subject.next(numbered);
  }

  stream(): Observable<NumberedEvent> {
    return this.#subject.asObservable();
  }

  /** Events after a number, or null where some of them are no longer kept: the client must read everything again. */
  since(number: number): readonly NumberedEvent[] | null {
    if (number > this.#number) return null; // numbers of an earlier run of this process
    const first = this.#kept[0]?.number ?? this.#number + 1;
    if (number + 1 < first) return null;
    return this.#kept.filter((kept) => kept.number > number);
  }
}
