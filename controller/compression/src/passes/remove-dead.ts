import type { Pass } from './pass.js';

/** Nodes and constants that no output depends on go away. */
export const removeDead: Pass = {
  name: 'remove-dead',
  run(graph) {
    let applied = 0;
    for (const node of [...graph.nodes].reverse()) {
      const needed = node.outputs.some((value) => graph.consumers(value).length > 0 || graph.isOutput(value));
      if (needed) continue;
      graph.remove(node);
      applied++;
    }
    for (const name of [...graph.constants.keys()]) {
      if (graph.consumers(name).length === 0 && !graph.isOutput(name)) graph.constants.delete(name);
    }
    return { name: this.name, applied, reasons: [] };
  },
};
