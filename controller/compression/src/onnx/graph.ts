import type { AttributeProto, ModelProto, ValueInfoProto } from './gen/onnx_pb.js';
import { capturedValues, type Node, type NodeDraft } from './node.js';
import type { Tensor } from './tensor.js';

type Editable = { -readonly [K in keyof Node]: Node[K] };

interface Index {
  readonly producers: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
}

/**
 * A model's main graph, for rewriting. Nodes change only through these methods, so that `producer` and `consumers`
 * are always true. Constants are the initializers; `inputs` holds only what a caller feeds.
 */
export class Graph {
  readonly constants: Map<string, Tensor>;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  private list: Editable[];
  private index: Index | null = null;
  private readonly taken: Set<string>;

  /** @param shell the model without nodes and initializers: opsets, metadata, functions and types stay in it. */
  constructor(
    readonly shell: ModelProto,
    parts: { nodes: Node[]; constants: Map<string, Tensor>; inputs: ValueInfoProto[]; outputs: ValueInfoProto[] },
  ) {
    this.list = parts.nodes;
    this.constants = parts.constants;
    this.inputs = parts.inputs;
    this.outputs = parts.outputs;
    this.taken = new Set([...parts.constants.keys(), ...parts.inputs.map((input) => input.name)]);
    for (const node of this.list) for (const name of [node.name, ...node.outputs]) this.taken.add(name);
    for (const node of this.list) for (const name of capturedValues(node)) this.taken.add(name);
  }

  get nodes(): readonly Node[] {
    return this.list;
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
    return this.indices().producers.get(value);
  }

  /** The nodes that read a value, each once; readers inside subgraphs count through the node that holds them. */
  consumers(value: string): readonly Node[] {
    return this.indices().consumers.get(value) ?? [];
  }

  isOutput(value: string): boolean {
    return this.outputs.some((output) => output.name === value);
  }

  /** True if `node` alone reads the value, and the graph does not return it. */
  isSoleUse(value: string, node: Node): boolean {
    const readers = this.consumers(value);
    return readers.length === 1 && readers[0] === node && !this.isOutput(value);
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
    const node: Editable = {
      name: this.freshName(draft.name ?? `${draft.outputs[0] ?? draft.opType}/${draft.opType}`),
      opType: draft.opType,
      domain: draft.domain ?? '',
      inputs: [...draft.inputs],
      outputs: [...draft.outputs],
      attributes: new Map((draft.attributes ?? []).map((attribute) => [attribute.name, attribute])),
    };
    const at = before ? this.list.indexOf(before as Editable) : -1;
    this.list.splice(at < 0 ? this.list.length : at, 0, node);
    for (const output of node.outputs) this.taken.add(output);
    this.index = null;
    return node;
  }

  remove(node: Node): void {
    this.list = this.list.filter((other) => other !== node);
    this.index = null;
  }

  /** Changes parts of a node in place; what is not given stays. */
  change(node: Node, parts: Partial<Pick<Node, 'opType' | 'inputs' | 'outputs'>>): void {
    Object.assign(node, parts);
    for (const output of parts.outputs ?? []) this.taken.add(output);
    this.index = null;
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
    Object.assign(node, { attributes });
  }

  /** Lets every reader of `from` read `to` instead. Subgraphs keep the name they captured. */
  replaceUses(from: string, to: string): void {
    for (const node of this.consumers(from)) {
      Object.assign(node, { inputs: node.inputs.map((value) => (value === from ? to : value)) });
    }
    this.index = null;
  }

  /** Puts the nodes in topological order, stable otherwise [ONNX IR, "Graphs": nodes must be sorted]. */
  sort(): void {
    const placed = new Set<Node>();
    const order: Editable[] = [];
    const visit = (node: Editable): void => {
      if (placed.has(node)) return;
      placed.add(node);
      for (const value of [...node.inputs, ...capturedValues(node)]) {
        const before = this.producer(value);
        if (before) visit(before as Editable);
      }
      order.push(node);
    };
    for (const node of this.list) visit(node);
    this.list = order;
  }

  private indices(): Index {
    if (this.index) return this.index;
    const producers = new Map<string, Node>();
    const consumers = new Map<string, Node[]>();
    for (const node of this.list) {
      for (const output of node.outputs) if (output) producers.set(output, node);
      for (const value of new Set([...node.inputs, ...capturedValues(node)])) {
        if (!value) continue;
        const readers = consumers.get(value);
        if (readers) readers.push(node);
        else consumers.set(value, [node]);
      }
    }
    this.index = { producers, consumers };
    return this.index;
  }
}
