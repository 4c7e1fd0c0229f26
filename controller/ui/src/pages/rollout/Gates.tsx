import type { GateView, GroupView, RolloutView } from '@espalier/proto/api';
import { formatCount, formatPercent, formatRatio, formatSeconds, formatUs, type Maybe } from '../../components/format';
import { Status, Tone } from '../../components/Status';
import { Table } from '../../components/Table';
import { rollouts as s } from '../../strings/rollouts';

const units: Readonly<Record<GateView['unit'], (value: Maybe) => string>> = {
  percent: formatPercent,
  us: formatUs,
  ratio: formatRatio,
  seconds: formatSeconds,
};

/** Each gate as value, threshold and n of its minimum, with the verdict and its reason. */
export function Gates({ groups }: { readonly groups: readonly GroupView[] }) {
  const rows = groups.flatMap((group) => group.gates.map((gate) => ({ group: group.name, gate })));
  if (rows.length === 0) return <span className="muted">{s.gatesEmpty}</span>;
  return (
    <Table
      label={s.gatesTitle}
      rows={rows}
      keyOf={({ group, gate }) => `${group} ${gate.name} ${gate.profile}`}
      columns={[
        {
          name: s.gate,
          cell: ({ group, gate }) => (
            <>
              {gate.name}
              <div className="muted small">
                {group}
                {gate.profile && ` · ${gate.profile}`}
              </div>
            </>
          ),
        },
        { name: s.value, num: true, cell: ({ gate }) => units[gate.unit](gate.value) },
        { name: s.threshold, num: true, cell: ({ gate }) => units[gate.unit](gate.threshold) },
        {
          name: s.rests,
          num: true,
          wide: true,
          cell: ({ gate }) => `${formatCount(gate.n)} / ${formatCount(gate.minimum)}`,
        },
        {
          name: s.verdict,
          cell: ({ gate }) => (
            <>
              <Status state={gate.verdict} />
              <div className="muted small prose">{gate.reason}</div>
            </>
          ),
        },
      ]}
    />
  );
}

/** How far the rollout is from stopping by itself. */
export function Abort({ criteria }: { readonly criteria: RolloutView['abort'] }) {
  if (criteria.length === 0) return null;
  return (
    <div className="small">
      <span className="muted">{s.abort}</span>
      <ul className="bare">
        {criteria.map((one) => (
          <li key={one.criterion} className="row">
            <Tone
              tone={one.valuePercent >= one.thresholdPercent && one.executed >= one.minExecuted ? 'failed' : 'none'}
            >
              {s.criterion[one.criterion]}
            </Tone>
            {s.abortText(
              formatPercent(one.valuePercent),
              formatPercent(one.thresholdPercent),
              one.executed,
              one.minExecuted,
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
