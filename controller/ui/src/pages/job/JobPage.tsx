import type { JobView } from '@espalier/proto/api';
import { Progress } from '@mantine/core';
import { lazy, Suspense, useEffect, useRef } from 'react';
import { Link, useParams } from 'wouter';
import { useJob } from '../../api/queries';
import { CHART_HEIGHT_PX } from '../../charts/paint';
import { CodedError } from '../../components/ErrorNote';
import { Facts } from '../../components/Facts';
import { formatClock, formatShare } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { Page, Section } from '../../components/Page';
import { Status } from '../../components/Status';
import { When } from '../../components/When';
import { jobs as s } from '../../strings/jobs';
import { CancelJob } from '../optimizations/CancelJob';
import { etaWords } from './eta';
import { JobParts } from './JobParts';

const TrainingCurve = lazy(() => import('../../charts/TrainingCurve'));

/** How near to its end (px) a log counts as being followed. */
const FOLLOW_PX = 24;

/** The log follows its end until one scrolls up, and follows again when one scrolls back down. */
function Log({ lines }: { readonly lines: JobView['log'] }) {
  const box = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  const count = lines.length;
  useEffect(() => {
    const element = box.current;
    if (count > 0 && element && follows.current) element.scrollTop = element.scrollHeight;
  }, [count]);
  if (count === 0) return <span className="muted">{s.logEmpty}</span>;
  return (
    <pre
      ref={box}
      className="log"
      role="log"
      aria-label={s.log}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard (WCAG 2.1.1)
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
      }}
    >
      {lines.map(({ at, text }) => `${formatClock(Date.parse(at))}  ${text}\n`)}
    </pre>
  );
}

/** What is left, or why that is not known. */
const etaOf = ({ etaSeconds, parts }: JobView): string =>
  etaSeconds ? etaWords(etaSeconds) : parts.length > 1 ? s.noEtaMany : s.noEta;

/** State, share, step and time left in one place; the error when it failed. */
function ProgressCard({ job }: { readonly job: JobView }) {
  return (
    <div className="card stack" aria-live="polite">
      <div className="spread">
        <Status state={job.state} />
        <span className="muted small">{job.state === 'RUNNING' && etaOf(job)}</span>
      </div>
      <Progress value={job.progress * 100} aria-label={s.progress} />
      <span className="small">
        {formatShare(job.progress)}
        {job.step && ` · ${s.stepOf(job.step, (job.stepIndex ?? 0) + 1, job.steps ?? 1)}`}
      </span>
      {job.error && <CodedError error={job.error} />}
    </div>
  );
}

/** Of a job with one build, what the list of builds says of several. */
const aboutOne = ({ variantId, profile, recipe }: JobView) =>
  [
    [s.variant, variantId && <Link href={`/variants/${variantId}`}>{s.open}</Link>],
    [s.profile, profile && <Link href={`/profiles/${profile}`}>{profile}</Link>],
    [s.recipe, recipe],
  ] as const;

/** One build: how far it is, what it says, and the way to what it makes. */
export default function JobPage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useJob(id);
  const job = query.data;
  return (
    <Page
      title={job?.title ?? s.job}
      crumb={{ label: s.title, href: '/optimizations' }}
      actions={job && <CancelJob job={job} />}
    >
      <Loaded query={query} lines={6}>
        {(data) => (
          <>
            <ProgressCard job={data} />
            <div className="card">
              <Facts
                of={[
                  [s.model, data.modelId && <Link href={`/models/${data.modelId}`}>{s.open}</Link>],
                  ...(data.parts.length > 1 ? [] : aboutOne(data)),
                  [s.by, data.requestedBy],
                  [s.attempt, String(data.attempt)],
                  [s.created, <When key="created" at={data.createdAt} />],
                  [s.started, <When key="started" at={data.startedAt} />],
                  [s.ended, data.endedAt && <When key="ended" at={data.endedAt} />],
                ]}
              />
            </div>
            {data.parts.length > 1 && (
              <Section title={s.parts}>
                <span className="muted">{s.partsWhy}</span>
                <JobParts parts={data.parts} />
              </Section>
            )}
            {data.curve.length > 1 && (
              <Section title={s.training}>
                <div className="card">
                  <Suspense fallback={<div style={{ height: CHART_HEIGHT_PX }} />}>
                    <TrainingCurve points={data.curve} />
                  </Suspense>
                </div>
              </Section>
            )}
            <Section title={s.log}>
              <Log lines={data.log} />
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}
