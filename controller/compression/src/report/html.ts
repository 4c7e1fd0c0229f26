import type { Report } from '@espalier/proto';
import { comparisonRows, findings } from './format.js';

const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const row = (cells: readonly string[], tag = 'td'): string =>
  `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;

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
th { color: var(--quiet); font-weight: 500; } code { font-size: .9em; overflow-wrap: anywhere; }`;

/** A report as one self-contained page: no script, nothing loaded from elsewhere, light and dark. */
export function reportPage(report: Report): string {
  const { runtime, machine, data } = report;
  const floats = report.floatNodes.map(({ node, op, reason }) => [node, op, reason]);
  const nodes = report.nodes.map(({ name, op, precision }) => [name, op, precision]);
  const passes = report.passes.map(({ name, applied, reasons }) => [name, String(applied), reasons.join('; ')]);
  const kept = report.method === 'float' ? 'float, kept' : report.method;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(`${report.model} for ${report.profile}`)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(report.model)}</h1>
<p>For ${escapeHtml(report.profile)}: ${kept}. ${escapeHtml(report.createdAt)}</p>
${section('Float against variant', table(['', 'Float', 'Variant'], comparisonRows(report)) + list(findings(report)))}
${section('Notes', list(report.notes))}
${section('Nodes that stayed float', floats.length > 0 ? table(['Node', 'Operator', 'Reason'], floats) : '<p>None.</p>')}
${section('Passes', passes.length > 0 ? table(['Pass', 'Applied', 'Where not, and why'], passes) : '')}
${section('Nodes of the optimized graph', table(['Node', 'Operator', 'Precision'], nodes))}
${section('Measured with', list([`${runtime.adapter} ${runtime.version}`, `${machine.cpu}, ${machine.cores} cores, ${machine.arch}`, data ? `${data.spec} (${data.n} samples, ${data.split})` : 'no data', `seed ${report.seed}`]))}
${section('Commands', report.commands.map((command) => `<p><code>${escapeHtml(command)}</code></p>`).join('\n'))}
</body></html>
`;
}
