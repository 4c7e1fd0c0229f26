import type { Report, SearchPoint, SearchRecord } from '@espalier/proto';
import { bytes, comparisonRows, findings, relievedOf, timeShare, times } from './format.js';
import { layersChart, worstLayers } from './layers.js';
import { paretoCharts } from './pareto.js';
import { escapeHtml } from './svg.js';

const row = (cells: readonly string[], tag = 'td', kind = ''): string =>
  `<tr${kind ? ` class="${kind}"` : ''}>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="wide"><table><thead>${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells)).join('\n')}</tbody></table></div>`;

const section = (title: string, body: string): string => (body ? `<h2>${escapeHtml(title)}</h2>\n${body}` : '');

const list = (items: readonly string[]): string =>
  items.length > 0 ? `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>` : '';

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d5d9dd, #3a4047); --quiet: light-dark(#57606a, #9aa4ae); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#fff, #16191d); color: light-dark(#1c2126, #e4e8ec); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
p { color: var(--quiet); margin: .2rem 0; } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 500; } code { font-size: .9em; overflow-wrap: anywhere; }
.figures td { white-space: nowrap; } tr.chosen td { font-weight: 600; }
summary { color: var(--quiet); margin: .6rem 0; cursor: pointer; }
:root { --mark: light-dark(#0b6e4f, #4fc79c); --other: light-dark(#8a5a00, #e0b050); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } .charts svg { flex: 1 1 24rem; max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); } svg .label { font-weight: 500; }
svg .name { fill: currentColor; font-weight: 600; } svg .grid { stroke: var(--line); stroke-width: 1; }
svg .budget { stroke: var(--other); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg circle { fill: var(--quiet); } svg circle.behind { opacity: .35; } svg circle.front { fill: var(--mark); }
svg circle.chosen { fill: var(--mark); stroke: currentColor; stroke-width: 2; } svg path { fill: none; stroke-width: 1.8; }
svg path.before { stroke: var(--other); stroke-dasharray: 4 3; } svg path.after { stroke: var(--mark); }
svg circle.after { fill: var(--mark); } .legend i { display: inline-block; width: 1.4rem; height: 0; margin: 0 .4rem .25rem 0; border-top: 2px solid var(--mark); }
.legend i.before { border-top: 2px dashed var(--other); } .legend i.after { margin-left: 1rem; }`;

/** The node table: time share and reasons have a column where any node has one. */
function nodesTable({ nodes }: Report): string {
  const [isTimed, isReasoned] = [nodes.some(({ share }) => share !== null), nodes.some(({ reason }) => reason)];
  const head = ['Node', 'Operator', 'Precision', ...(isTimed ? ['Time'] : []), ...(isReasoned ? ['Why in float'] : [])];
  const rows = nodes.map(({ name, op, precision, share, reason }) => [
    ...[name, op, precision, ...(isTimed ? [timeShare(share)] : []), ...(isReasoned ? [reason ?? ''] : [])],
  ]);
  return table(head, rows);
}

/** What a search tried: charts, why it took what it took, and every build. */
function searched(search: SearchRecord): string {
  const { points, why, basis } = search;
  const lost = basis === 'labels' ? 'Top-1 lost' : 'Changed';
  const rowOf = (point: SearchPoint): string => {
    const { precision, drop, sqnrDb, speedup, bytes: size, isChosen } = point;
    const noise = precision === 'float' ? '' : `${sqnrDb.toFixed(1)} dB`;
    const cells = [precision, relievedOf(point), `${drop.toFixed(2)} %`, noise, times(speedup), bytes(size)];
    return row([...cells, isChosen ? 'chosen' : ''], 'td', isChosen ? 'chosen' : '');
  };
  const head = row(['Precision', 'Beside int8', lost, 'SQNR', 'Speed', 'Size', ''], 'th');
  const rows = (some: readonly SearchPoint[]): string =>
    `<div class="wide figures"><table><thead>${head}</thead><tbody>${some.map(rowOf).join('\n')}</tbody></table></div>`;
  const [best, others] = [points.filter(isShown), points.filter((point) => !isShown(point))];
  const surpassed =
    others.length > 0
      ? `<details><summary>${others.length} that others surpass in SQNR, speed and size</summary>${rows(others)}</details>`
      : '';
  const key = '<p>Dashed: what the budgets ask for. Pale: others are at least as good in SQNR, speed and size.</p>';
  return `<p>${escapeHtml(why)}</p>${paretoCharts(search)}${key}${rows(best)}${surpassed}`;
}

const isShown = ({ isFront, isChosen }: SearchPoint): boolean => isFront || isChosen;

/** A report as one self-contained page: no script, nothing loaded from elsewhere, light and dark. */
export function reportPage(report: Report): string {
  const { runtime, machine, data } = report;
  const floats = report.floatNodes.map(({ node, op, reason }) => [node, op, reason]);
  const layers = report.layers ?? [];
  const passes = report.passes.map(({ name, applied, reasons }) => [name, String(applied), reasons.join('; ')]);
  const kept = report.method === 'float' ? 'float, kept' : report.method;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(`${report.model} for ${report.profile}`)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(report.model)}</h1>
<p>For ${escapeHtml(report.profile)}: ${kept}. ${escapeHtml(report.createdAt)}</p>
${section('Float against variant', table(['', 'Float', 'Variant'], comparisonRows(report)) + list(findings(report)))}
${section('Builds that were tried', report.search ? searched(report.search) : '')}
${section('Layers against float', layersChart(layers))}
${section('The noisiest layers', layers.length > 0 ? table(['Node', 'Operator', 'Plain, dB', 'As built, dB'], worstLayers(layers)) : '')}
${section('Notes', list(report.notes))}
${section('Nodes that stayed float', floats.length > 0 ? table(['Node', 'Operator', 'Reason'], floats) : '<p>None.</p>')}
${section('Passes', passes.length > 0 ? table(['Pass', 'Applied', 'Where not, and why'], passes) : '')}
${section('Nodes of the optimized graph', nodesTable(report))}
${section('Measured with', list([`${runtime.adapter} ${runtime.version}`, `${machine.cpu}, ${machine.cores} cores, ${machine.arch}`, data ? `${data.spec} (${data.n} samples, ${data.split})` : 'no data', `seed ${report.seed}`]))}
${section('Commands', report.commands.map((command) => `<p><code>${escapeHtml(command)}</code></p>`).join('\n'))}
</body></html>
`;
}
