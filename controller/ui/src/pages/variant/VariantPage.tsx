import type { VariantView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { Link, useParams } from 'wouter';
import { address } from '../../api/client';
import { useVariant } from '../../api/queries';
import { Copyable } from '../../components/Copyable';
import { CodedError } from '../../components/ErrorNote';
import { Facts } from '../../components/Facts';
import { formatBytes } from '../../components/format';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { Loaded } from '../../components/Loaded';
import { Page, Section } from '../../components/Page';
import { Status } from '../../components/Status';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { variant as s } from '../../strings/variant';
import { Claim } from './Claim';
import { Layers } from './Layers';

/** What each pass rewrote, and where it did not apply and why. */
function Passes({ passes }: { readonly passes: NonNullable<VariantView['report']>['passes'] }) {
  return (
    <Section title={s.passes}>
      <Table
        label={s.passes}
        rows={passes}
        keyOf={(pass) => pass.name}
        columns={[
          { name: s.pass, cell: (pass) => pass.name },
          { name: s.applied, num: true, cell: (pass) => String(pass.applied) },
          { name: s.reasons, cell: (pass) => pass.reasons.join('; ') || '–' },
        ]}
      />
    </Section>
  );
}

/** What is signed and sent: files by digest, key and release. */
function Artifact({ variant }: { readonly variant: VariantView }) {
  return (
    <Section title={s.artifact}>
      <div className="stack">
        <div className="card">
          <Facts
            of={[
              [s.digest, variant.digest && <code className="mono">{variant.digest}</code>],
              [s.key, variant.keyid && <code className="mono">{variant.keyid}</code>],
              [s.release, variant.releaseCounter === null ? null : String(variant.releaseCounter)],
              [s.created, <When key="created" at={variant.createdAt} />],
              [s.job, variant.jobId && <Link href={`/jobs/${variant.jobId}`}>{s.job}</Link>],
            ]}
          />
        </div>
        {variant.files.length > 0 && (
          <Table
            label={s.artifact}
            rows={variant.files}
            keyOf={(file) => file.path}
            columns={[
              { name: s.file, cell: (file) => file.path },
              { name: s.bytes, num: true, cell: (file) => formatBytes(file.bytes) },
              { name: s.sha, cell: (file) => <code className="mono">{file.sha256}</code> },
            ]}
          />
        )}
      </div>
    </Section>
  );
}

function Content({ variant }: { readonly variant: VariantView }) {
  const { report } = variant;
  return (
    <>
      {variant.error && <CodedError error={variant.error} />}
      <Claim variant={variant} />
      {report && <Layers nodes={report.nodes} floatNodes={report.floatNodes} />}
      {report && <Passes passes={report.passes} />}
      <Artifact variant={variant} />
      {report && report.commands.length > 0 && (
        <Section title={s.commands}>
          <div className="stack">
            {report.commands.map((command) => (
              <Copyable key={command} value={command} />
            ))}
          </div>
        </Section>
      )}
    </>
  );
}

/** Does it keep its promise? */
export default function VariantPage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useVariant(id);
  const variant = query.data;
  const download = variant?.state === 'ready' && (
    <Button
      component="a"
      href={address(`/variants/${variant.id}/artifact`)}
      download
      variant="default"
      leftSection={<Icon path={icons.download} />}
    >
      {s.download}
    </Button>
  );
  return (
    <Page
      title={variant ? s.title(variant.method, variant.profile) : id}
      crumb={variant && { label: `${variant.model} ${variant.modelVersion}`, href: `/models/${variant.modelId}` }}
      below={variant && <Status state={variant.state} />}
      actions={download}
    >
      <Loaded query={query} lines={8}>
        {(data) => <Content variant={data} />}
      </Loaded>
    </Page>
  );
}
