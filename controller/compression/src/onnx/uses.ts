import { capturedValues, type Node } from './node.js';

/** Who makes and who reads each value; kept true by linking and unlinking single nodes. */
export class Uses {
  private readonly makers = new Map<string, Node>();
  private readonly readers = new Map<string, Set<Node>>();
  private readonly captures = new Map<string, number>();

  link(node: Node): void {
    for (const output of node.outputs) if (output) this.makers.set(output, node);
    for (const value of node.inputs) if (value) this.addReader(value, node);
    for (const value of capturedValues(node)) {
      this.addReader(value, node);
      this.captures.set(value, (this.captures.get(value) ?? 0) + 1);
    }
  }

  unlink(node: Node): void {
    for (const output of node.outputs) if (this.makers.get(output) === node) this.makers.delete(output);
    for (const value of node.inputs) this.dropReader(value, node);
    for (const value of capturedValues(node)) {
      this.dropReader(value, node);
      const left = (this.captures.get(value) ?? 0) - 1;
      if (left > 0) this.captures.set(value, left);
      else this.captures.delete(value);
    }
  }

  maker(value: string): Node | undefined {
    return this.makers.get(value);
  }

  /** Each reader once, in the order in which they came to read the value. */
  readersOf(value: string): ReadonlySet<Node> | undefined {
    return this.readers.get(value);
  }

  isCaptured(value: string): boolean {
    return this.captures.has(value);
  }

  captured(): Set<string> {
    return new Set(this.captures.keys());
  }

  private addReader(value: string, node: Node): void {
    const readers = this.readers.get(value);
    if (readers) readers.add(node);
    else this.readers.set(value, new Set([node]));
  }

  private dropReader(value: string, node: Node): void {
    const readers = this.readers.get(value);
    readers?.delete(node);
    if (readers?.size === 0) this.readers.delete(value);
  }
}
