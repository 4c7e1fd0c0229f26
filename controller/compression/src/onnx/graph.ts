import type { AttributeProto, ModelProto, ValueInfoProto } from './gen/onnx_pb.js';
import { capturedValues, type Node, type NodeDraft, subgraphsOf } from './node.js';
import { NodeList } from './node-list.js';
import { sortNodes } from './order.js';
import { graphsOf, renameInAttribute, scopeOf } from './subgraph.js';
import type { Tensor } from './tensor.js';
import { Uses } from './uses.js';

const NOBODY: ReadonlySet<Node> = new Set();

/**
 * A model's main graph, for rewriting. Nodes change only through these methods, so that `producer` and `consumers`
 * are always true. Constants are the initializers; `inputs` holds only what a caller feeds.
 */
export class Graph {
  readonly constants: Map<string, Tensor>;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  private readonly list: NodeList;
  private readonly uses = new Uses();
  private readonly taken: Set<string>;
  private readonly returned: ReadonlySet<string>;
  private captures: ReadonlySet<string> | null = null;

  /** @param shell the model without nodes and initializers: opsets, metadata, functions and types stay in it. */
  constructor(
    readonly shell: ModelProto,
    parts: {
      nodes: readonly Node[];
      constants: Map<string, Tensor>;
      inputs: ValueInfoProto[];
      outputs: ValueInfoProto[];
    },
  ) {
    this.list = new NodeList(parts.nodes);
    this.constants = parts.constants;
    this.inputs = parts.inputs;
    this.outputs = parts.outputs;
    this.returned = new Set(parts.outputs.map((output) => output.name));
    this.taken = new Set([...this.entries(), ...this.returned]);
    for (const node of parts.nodes) {
      this.uses.link(node);
      for (const name of [node.name, ...node.outputs]) this.taken.add(name);
      for (const inner of subgraphsOf(node)) for (const name of scopeOf(inner).mentioned) this.taken.add(name);
    }
  }

  get nodes(): readonly Node[] {
    return this.list.toArray();
  }

  has(node: Node): boolean {
    return this.list.has(node);
  }

  /** Names of the sparse initializers, which stay in the shell and are no {@link constants}. */
  get sparse(): string[] {
    return (this.shell.graph?.sparseInitializer ?? []).map((tensor) => tensor.values?.name ?? '');
  }

  /** What is defined before the first node runs: constants, inputs and sparse initializers. */
  *entries(): Iterable<string> {
    yield* this.constants.keys();
    for (const input of this.inputs) yield input.name;
    yield* this.sparse;
  }

  /** Version of an operator set; 0 when the model does not import it. */
  opset(domain = ''): number {
    const found = this.shell.opsetImport.find((set) => (set.domain === 'ai.onnx' ? '' : set.domain) === domain);
    return Number(found?.version ?? 0);
  }

  setOpset(version: number): void {
    for (const set of this.shell.opsetImport) {
      if (set.domain === '' || set.domain === 'ai.onnx') set.version = BigInt(version);
    }
  }

  producer(value: string): Node | undefined {
    return this.uses.maker(value);
  }

  /** The nodes that read a value, each once; readers inside subgraphs count through the node that holds them. */
  consumers(value: string): readonly Node[] {
    return [...(this.uses.readersOf(value) ?? NOBODY)];
  }

  isRead(value: string): boolean {
    return this.uses.readersOf(value) !== undefined;
  }

  isOutput(value: string): boolean {
    return this.returned.has(value);
  }

  /** True if a subgraph reads the value. */
  isCaptured(value: string): boolean {
    return this.uses.isCaptured(value);
  }

  /** Values that subgraphs read, as one set that is made anew after an edit. */
  get captured(): ReadonlySet<string> {
    this.captures ??= this.uses.captured();
    return this.captures;
  }

  /** True if `node` alone reads the value, and the graph does not return it. */
  isSoleUse(value: string, node: Node): boolean {
    const readers = this.uses.readersOf(value);
    return readers?.size === 1 && readers.has(node) && !this.isOutput(value);
  }

  /** The constant a node reads at this input, or undefined. */
  constantOf(node: Node, input: number): Tensor | undefined {
    const value = node.inputs[input];
    return value ? this.constants.get(value) : undefined;
  }

  /** A name that nothing in the graph has yet, and reserves it. */
  freshName(hint: string): string {
    let name = hint;
    for (let suffix = 1; this.taken.has(name); suffix++) name = `${hint}_${suffix}`;
    this.taken.add(name);
    return name;
  }

  /** Stores a constant under a fresh name made from the hint, and returns that name. */
  addConstant(hint: string, tensor: Tensor): string {
    const name = this.freshName(hint);
    this.constants.set(name, tensor);
    return name;
  }

  /** Adds a node just before `before`, or at the end; call {@link sort} when that is not in order. */
  add(draft: NodeDraft, before?: Node): Node {
    const node: Node = {
      name: this.freshName(draft.name ?? `${draft.outputs[0] ?? draft.opType}/${draft.opType}`),
      opType: draft.opType,
      domain: draft.domain ?? '',
      inputs: [...draft.inputs],
      outputs: [...draft.outputs],
      attributes: new Map((draft.attributes ?? []).map((attribute) => [attribute.name, attribute])),
    };
    this.list.insert(node, before);
    this.edit(node, {});
    return node;
  }

  remove(node: Node): void {
    if (!this.list.remove(node)) return;
    this.uses.unlink(node);
    this.captures = null;
  }

  /** Changes parts of a node in place; what is not given stays. */
  change(node: Node, parts: Partial<Pick<Node, 'opType' | 'inputs' | 'outputs'>>): void {
    this.edit(node, parts);
  }

  setInput(node: Node, at: number, value: string): void {
    const inputs = [...node.inputs];
    while (inputs.length < at) inputs.push('');
    inputs[at] = value;
    this.change(node, { inputs });
  }

  /** Sets an attribute; `null` removes it. */
  setAttribute(node: Node, name: string, attribute: AttributeProto | null): void {
    const attributes = new Map(node.attributes);
    if (attribute) attributes.set(name, attribute);
    else attributes.delete(name);
    this.edit(node, { attributes });
  }

  /** Lets every reader of `from` read `to` instead, inside subgraphs too. */
  replaceUses(from: string, to: string): void {
    for (const node of this.consumers(from)) {
      const inputs = node.inputs.map((value) => (value === from ? to : value));
      if (!capturedValues(node).has(from)) this.edit(node, { inputs });
      else this.edit(node, { inputs, attributes: this.renameCaptured(node, from, to) });
    }
  }

  /** Puts the nodes in topological order, stable otherwise; nodes of a cycle keep theirs [ONNX IR, "Graphs"]. */
  sort(): void {
    this.list.reorder(sortNodes(this.nodes, (value) => this.producer(value)));
  }

  /** The node's attributes with a captured value renamed; an inner value that has the new name already gives way. */
  private renameCaptured(node: Node, from: string, to: string): Map<string, AttributeProto> {
    const renamed = [...node.attributes].map(([name, attribute]): [string, AttributeProto] => {
      const graphs = graphsOf(attribute).map(scopeOf);
      if (!graphs.some(({ captured }) => captured.has(from))) return [name, attribute];
      const shadowed = graphs.some(({ mentioned, captured }) => mentioned.has(to) && !captured.has(to));
      const names = new Map([[from, to], ...(shadowed ? [[to, this.freshName(to)] as const] : [])]);
      return [name, renameInAttribute(attribute, names)];
    });
    return new Map(renamed);
  }

  /** Every change of a node that the list holds goes through here, so that the uses stay true. */
  private edit(node: Node, parts: Partial<Pick<Node, 'opType' | 'inputs' | 'outputs' | 'attributes'>>): void {
    const held = this.list.has(node);
    if (held) this.uses.unlink(node);
    Object.assign(node, parts);
    if (held) this.uses.link(node);
    for (const output of node.outputs) this.taken.add(output);
    this.captures = null;
  }
}
