/**
 * Channels that must be kept or removed together. Every channel that an operator makes gets a number; operators that
 * tie two channels (an Add, the slots of a grouped convolution) unite their numbers into one class (union-find).
 */
export class ChannelClasses {
  private readonly parent: number[] = [];
  private readonly frozen = new Map<number, string>();

  /** Numbers for `count` new channels. */
  make(count: number): number[] {
    return Array.from({ length: count }, () => this.parent.push(this.parent.length) - 1);
  }

  /** The number that stands for a channel's class. */
  find(channel: number): number {
    let root = channel;
    while (this.parent[root] !== root) root = this.parent[root]!;
    for (let at = channel; at !== root; ) {
      const next = this.parent[at]!;
      this.parent[at] = root;
      at = next;
    }
    return root;
  }

  unite(a: number, b: number): void {
    const [first, second] = [this.find(a), this.find(b)];
    if (first === second) return;
    this.parent[second] = first;
    const reason = this.frozen.get(second);
    if (reason !== undefined) this.freeze(first, reason);
  }

  /** Keeps a channel's class for good; the first reason is the one that is told. */
  freeze(channel: number, reason: string): void {
    const root = this.find(channel);
    if (!this.frozen.has(root)) this.frozen.set(root, reason);
  }

  /** Why a channel's class must stay, or null. */
  whyFrozen(channel: number): string | null {
    return this.frozen.get(this.find(channel)) ?? null;
  }
}
