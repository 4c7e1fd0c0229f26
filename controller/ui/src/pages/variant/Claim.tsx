import type { VariantView } from '@espalier/proto/api';
import type { ReactNode } from 'react';
import { Facts } from '../../components/Facts';
import { formatBytes, formatCount, formatDelta, formatPercent, formatRatio, formatUs } from '../../components/format';
import { Latency } from '../../components/Latency';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { common } from '../../strings/common';
import { variant as s } from '../../strings/variant';

type Proof = NonNullable<VariantView['report']>;
interface Row {
  readonly name: string;
  readonly float: string;
  readonly own: string;
  readonly change: string;
}

/** Float and this build side by side: the claim in three lines. Points, ratios > 1 are better. */
function claimRows({ float, variant, speedup, sizeRatio }: Proof): Row[] {
  const delta = float.top1 === null || variant.top1 === null ? null : variant.top1 - float.top1;
  const us = (latency: Proof['float']['latency'], figure: 'p50Us' | 'p95Us') => formatUs(latency?.[figure]);
  return [
    {
      name: s.accuracy,
      float: formatPercent(float.top1, 2),
      own: formatPercent(variant.top1, 2),
      change: formatDelta(delta, s.points),
    },
    {
      name: s.latency,
      float: us(float.latency, 'p50Us'),
      own: us(variant.latency, 'p50Us'),
      change: speedup === null ? common.none : s.faster(formatRatio(speedup)),
    },
    { name: s.p95, float: us(float.latency, 'p95Us'), own: us(variant.latency, 'p95Us'), change: common.none },
    {
      name: s.size,
      float: formatBytes(float.sizeBytes),
      own: formatBytes(variant.sizeBytes),
      change: s.smaller(formatRatio(sizeRatio)),
    },
  ];
}

/** What the claim rests on: samples, machine, runtime, and the class of the timing. */
function evidence(report: Proof): (readonly [string, ReactNode])[] {
  const { data, fixed, broken, mcnemarP, agreement, sqnrDb, machine, runtime } = report;
  const noise = Object.entries(sqnrDb ?? {}).map(([output, db]) => `${output} ${db.toFixed(1)} dB`);
  return [
    [s.data, data && s.dataText(common.sampleCount(data.n), data.spec)],
    ...(fixed !== null && broken !== null
      ? [[s.pairs, s.pairsText(formatCount(fixed), formatCount(broken))] as const]
      : []),
    ...(mcnemarP !== null ? [[s.mcnemar, mcnemarP.toPrecision(2)] as const] : []),
    ...(agreement !== null ? [[s.agreement, formatPercent(agreement, 2)] as const] : []),
    ...(noise.length > 0 ? [[s.sqnr, noise.join(', ')] as const] : []),
    [s.machine, report.variant.latency ? `${machine.cpu}, ${machine.arch}` : s.notMeasured],
    [s.classOf, report.variant.latency?.class],
    [s.runtime, `${runtime.adapter} ${runtime.version}`],
  ];
}

/** The promise beside float, then what it rests on; a build that kept float says that first. */
export function Claim({ variant }: { readonly variant: VariantView }) {
  const { report } = variant;
  // A build that is not what was asked for says so first; how it was made is read at leisure.
  const tone = variant.note ? 'warning' : 'neutral';
  const notes = variant.note ? [variant.note] : (report?.notes ?? []);
  return (
    <Section title={s.claim}>
      <div className="stack">
        {notes.length > 0 && (
          <div className="note" data-tone={tone}>
            {notes.map((note) => (
              <p key={note}>{note}</p>
            ))}
          </div>
        )}
        {!report && <span className="muted">{s.noProof}</span>}
        {report && (
          <Table
            label={s.claim}
            rows={claimRows(report)}
            keyOf={(row) => row.name}
            columns={[
              { name: s.figure, cell: (row) => row.name },
              { name: s.float, num: true, cell: (row) => row.float },
              { name: s.thisOne, num: true, cell: (row) => <strong>{row.own}</strong> },
              { name: s.change, num: true, cell: (row) => row.change },
            ]}
          />
        )}
        <div className="card">
          <Facts
            of={[...(report ? evidence(report) : []), [s.onDevices, <Latency key="d" latency={variant.measured} />]]}
          />
        </div>
      </div>
    </Section>
  );
}
