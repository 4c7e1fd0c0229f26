/**
 * The main thread looks for a worker's answer in every turn of its event loop, for a while. A loop that sleeps in the kernel
 * is woken in 50 us, and the CPU it sleeps on takes as long again to be at work; one that turns sees the answer in the next
 * microseconds, and serves sockets meanwhile as always. It burns a CPU: who calls sees to it that one has nothing to do.
 */
import type { Doorbell } from './doorbell.js';

/** Between two turns: shorter than anything a socket would notice, and fewer turns leave less garbage. */
const LOOK_MS = 0.02;

export class LookOut {
  #untilMs = 0;
  #isLooking = false;

  /** @param settle takes what was answered; false when nothing is awaited any more */
  constructor(
    private readonly bell: Doorbell,
    private readonly settle: () => boolean,
  ) {}

  for(ms: number): void {
    this.#untilMs = performance.now() + ms;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.bell.looks(true);
    setImmediate(this.#look);
  }

  /** Looks once more and no longer. */
  stop(): void {
    this.#untilMs = 0;
  }

  readonly #look = (): void => {
    const nowMs = performance.now();
    let isAwaited = this.settle();
    while (isAwaited && performance.now() < nowMs + LOOK_MS) isAwaited = this.settle();
    if (isAwaited && nowMs < this.#untilMs) {
      setImmediate(this.#look);
      return;
    }
    this.#isLooking = false;
    this.bell.looks(false);
    // What was answered before that was heard comes without a message.
    this.settle();
  };
}
