/**
 * Runs one task again and again, never twice at once: every `everyMs`, and soon after each `wake()`. A failure is
 * reported and does not end it. `stop()` resolves when the run under way is over.
 */
export class Periodic {
  #stop = new AbortController();
  #wake: (() => void) | null = null;
  #woken = false;
  #loop: Promise<void> | null = null;

  constructor(
    private readonly everyMs: number,
    private readonly task: (signal: AbortSignal) => Promise<void>,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    this.#loop ??= this.#run();
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        await this.task(signal);
      } catch (error) {
        if (!signal.aborted) this.onError(error);
      }
      if (!signal.aborted && !this.#woken) await this.#rest();
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.everyMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
