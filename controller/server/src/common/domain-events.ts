import { Injectable } from '@nestjs/common';

/** What happened, by type, with what it happened to. Emitted after it is stored, never before. */
export interface DomainEventPayloads {
  enrolled: { deviceId: string };
  removed: { deviceId: string };
  online: { deviceId: string };
  offline: { deviceId: string };
  /** The device's profile changed with its facts. */
  profile: { deviceId: string };
  serving: { deviceId: string; digest: string | null };
  measurement: { deviceId: string; digest: string };
  job: { jobId: string };
  /** A rollout changed its state. */
  rollout: { rolloutId: string };
}
export type DomainEventType = keyof DomainEventPayloads;
type Listener<T extends DomainEventType> = (payload: DomainEventPayloads[T]) => void | Promise<void>;

/** Lets one domain react to another at once. Listeners must also find the work by themselves: events do not survive a kill. */
@Injectable()
export class DomainEvents {
  readonly #listeners = new Map<DomainEventType, Set<Listener<DomainEventType>>>();
  /** Where a listener's failure goes; it never reaches the one who emitted. */
  onError: (type: DomainEventType, error: unknown) => void = () => undefined;

  /** Returns what takes the listener off again. */
  on<T extends DomainEventType>(type: T, listener: Listener<T>): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set);
    set.add(listener as Listener<DomainEventType>);
    return () => void set.delete(listener as Listener<DomainEventType>);
  }

  emit<T extends DomainEventType>(type: T, payload: DomainEventPayloads[T]): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      void (async () => listener(payload))().catch((error: unknown) => this.onError(type, error));
    }
  }
}
