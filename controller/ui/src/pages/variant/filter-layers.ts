import type { VariantView } from '@espalier/proto/api';

type Proof = NonNullable<VariantView['report']>;
export type LayerFilter = 'all' | 'float' | 'int8';

/**
 * The nodes a filter shows. `float` is "float that was meant to be int8": the nodes the report lists with a reason,
 * which it may name without listing them among the computing nodes.
 */
export function filterLayers(
  nodes: Proof['nodes'],
  floatNodes: Proof['floatNodes'],
  filter: LayerFilter,
): Proof['nodes'] {
  if (filter === 'int8') return nodes.filter((node) => /int8/.test(node.precision));
  if (filter !== 'float') return nodes;
  return floatNodes.map(({ node, op, reason }) => {
    const found = nodes.find(({ name }) => name === node);
    return found
      ? { ...found, reason: found.reason ?? reason }
      : { name: node, op, reason, precision: 'float32', share: null };
  });
}
