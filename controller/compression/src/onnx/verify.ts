import { GraphBroken } from '../errors.js';
import type { Graph } from './graph.js';
import { loopRules } from './rules/loops.js';
import { operatorRules } from './rules/operators.js';
import { quantizerRules } from './rules/quantizers.js';
import type { Rule } from './rules/rule.js';
import { structureRules } from './rules/structure.js';
import { tensorRules } from './rules/tensors.js';

/** What a valid graph is. The structure comes first: the later rules take it for granted. */
export const RULES: readonly Rule[] = [
  ...structureRules,
  ...tensorRules,
  ...operatorRules,
  ...loopRules,
  ...quantizerRules,
];

/** Stands for the pass where a graph is as its file says. */
export const READING = 'reading';

/** Checks every rule. Throws ESP_GRAPH_BROKEN, which names the pass that ran last, the rule and the place. */
export function verify(graph: Graph, pass: string): void {
  for (const rule of RULES) {
    if (rule.isOfFile && pass !== READING) continue;
    for (const { at, why } of rule.find(graph)) throw GraphBroken({ pass, rule: rule.name, at, why });
  }
}

/** Values that subgraphs capture: a rewrite must neither rename nor remove them. */
export const capturedBySubgraphs = (graph: Graph): ReadonlySet<string> => graph.captured;
