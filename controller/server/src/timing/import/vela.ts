import { LayersUnreadable } from '../../common/errors.js';
import { type Layer, type Layers, layersOf } from './layers.js';

const FORMAT = 'Vela';

/** Fields of a CSV line; names of tensors may be quoted, since they may hold commas. [RFC 4180] */
const fieldsOf = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    (quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"')).trim(),
  );

/**
 * Vela's NETWORK_per-layer.csv (`vela --verbose-performance`): cycles of each operator, with its name in the last column.
 * Times follow from the clock, which stands in its summary. Operators that Vela leaves to the CPU have no cycles.
 * @throws ESP_LAYERS_UNREADABLE
 */
export function readVela(text: string, clockMhz: number | null): Layers {
  if (clockMhz === null)
    throw LayersUnreadable({ format: FORMAT, why: 'it counts cycles, and no clock (clockMhz) was given' });
  const [header, ...lines] = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const columns = fieldsOf(header ?? '').map((name) => name.toLowerCase());
  const [name, cycles] = [columns.lastIndexOf('name'), columns.indexOf('op cycles')];
  if (name < 0 || cycles < 0) throw LayersUnreadable({ format: FORMAT, why: 'it has no columns Name and Op Cycles' });
  const layers = lines.flatMap((line): Layer[] => {
    const fields = fieldsOf(line);
    const us = Number(fields[cycles]) / clockMhz;
    return fields[name] && Number.isFinite(us) ? [{ name: fields[name], us }] : [];
  });
  return layersOf(FORMAT, layers);
}
