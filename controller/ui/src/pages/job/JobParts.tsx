import type { JobView } from '@espalier/proto/api';
import { Progress } from '@mantine/core';
import { Link } from 'wouter';
import { CodedError } from '../../components/ErrorNote';
import { formatShare } from '../../components/format';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { jobs as s } from '../../strings/jobs';

type Part = JobView['parts'][number];

/** How far a part is; a part that a job left behind when it ended was not built. */
function PartProgress({ part }: { readonly part: Part }) {
  if (part.error) return <CodedError error={part.error} />;
  if (part.state !== 'building') return <span className="muted">–</span>;
  return (
    <span className="stack" style={{ gap: 4, minWidth: 140 }}>
      <Progress value={part.progress * 100} size="sm" aria-label={s.partProgress(part.recipe, part.profile)} />
      <span className="small muted">
        {formatShare(part.progress)}
        {part.step && ` · ${part.step}`}
      </span>
    </span>
  );
}

/** The builds of one job: what each is for, how far it is, and the way to what came of it. */
export const JobParts = ({ parts }: { readonly parts: readonly Part[] }) => (
  <Table
    label={s.parts}
    rows={parts}
    keyOf={({ variantId }) => variantId}
    columns={[
      { name: s.profile, cell: ({ profile }) => <Link href={`/profiles/${profile}`}>{profile}</Link> },
      { name: s.recipe, cell: ({ recipe }) => recipe },
      { name: s.state, cell: ({ state }) => <Status state={state} /> },
      { name: s.progress, cell: (part) => <PartProgress part={part} /> },
      { name: s.variant, cell: ({ variantId }) => <Link href={`/variants/${variantId}`}>{s.open}</Link> },
    ]}
  />
);
