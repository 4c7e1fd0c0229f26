import type { Node } from './node.js';

interface Slot {
  readonly node: Node;
  before: Slot | null;
  after: Slot | null;
}

/**
 * The nodes of a graph in their order: a linked list, so that inserting and removing take the same time in a graph of
 * 50,000 nodes as in one of ten. The array of them is made when asked for, and kept until the next edit.
 */
export class NodeList {
  private readonly slots = new Map<Node, Slot>();
  private first: Slot | null = null;
  private last: Slot | null = null;
  private array: readonly Node[] | null = null;

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) this.insert(node);
  }

  has(node: Node): boolean {
    return this.slots.has(node);
  }

  /** Puts a node just before another, or at the end when there is none or the list does not hold it. */
  insert(node: Node, before?: Node): void {
    const after = (before && this.slots.get(before)) ?? null;
    const previous = after ? after.before : this.last;
    const slot: Slot = { node, before: previous, after };
    if (previous) previous.after = slot;
    else this.first = slot;
    if (after) after.before = slot;
    else this.last = slot;
    this.slots.set(node, slot);
    this.array = null;
  }

  /** Takes a node out; false when the list does not hold it. */
  remove(node: Node): boolean {
    const slot = this.slots.get(node);
    if (!slot) return false;
    if (slot.before) slot.before.after = slot.after;
    else this.first = slot.after;
    if (slot.after) slot.after.before = slot.before;
    else this.last = slot.before;
    this.slots.delete(node);
    this.array = null;
    return true;
  }

  /** Gives the list another order of the same nodes. */
  reorder(nodes: readonly Node[]): void {
    this.slots.clear();
    this.first = null;
    this.last = null;
    for (const node of nodes) this.insert(node);
  }

  toArray(): readonly Node[] {
    if (this.array) return this.array;
    const nodes: Node[] = [];
    for (let slot = this.first; slot; slot = slot.after) nodes.push(slot.node);
    this.array = nodes;
    return nodes;
  }
}
