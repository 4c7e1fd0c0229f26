import { LayersUnreadable } from '../../common/errors.js';
import { type Layer, type Layers, layersOf } from './layers.js';

const FORMAT = 'RKNN';

/**
 * The layer table that rknn-toolkit2 prints (`init_runtime(perf_debug=True)`, then `eval_perf()`), with or without the
 * prefix of its log. Columns stand below their titles, so a time is the first number at or after "Time(us)".
 * @throws ESP_LAYERS_UNREADABLE
 */
export function readRknn(text: string): Layers {
  const lines = text.split(/\r?\n/);
  const at = lines.findIndex(
    (line) => /\bID\s+OpType\b/.test(line) && /Time\(us\)/.test(line) && /FullName/.test(line),
  );
  if (at < 0) throw LayersUnreadable({ format: FORMAT, why: 'it has no line with ID, OpType, Time(us) and FullName' });
  const layers = lines.slice(at + 1).flatMap((line): Layer[] => {
    const row = line.replace(/^.*?RKNN: \[[^\]]*\]\s*/, '').trim();
    if (!/^\d+\s+\S/.test(row)) return [];
    // ID OpType DataType Target InputShape OutputShape Cycles(DDR/NPU/Total) Time(us) ...: the time follows the cycles.
    const found = /\s\d+\/\d+\/\d+\s+(\d+(?:\.\d+)?)\s.*?(\S+)$/.exec(row);
    return found ? [{ name: found[2]!.replace(/^[A-Za-z]+:/, ''), us: Number(found[1]) }] : [];
  });
  const total = /Total (?:Operator )?(?:Elapsed )?(?:Per Frame )?Time\(us\):\s*(\d+(?:\.\d+)?)/.exec(text);
  return layersOf(FORMAT, layers, total ? Number(total[1]) : null);
}
