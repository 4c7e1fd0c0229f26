import type { DecisionView, JobView } from '@espalier/proto/api';
import { Button, Progress } from '@mantine/core';
import { Link } from 'wouter';
import { useChange } from '../../api/mutations';
import { useDecisions, useJobs, useModels } from '../../api/queries';
import { Empty } from '../../components/Empty';
import { ErrorNote } from '../../components/ErrorNote';
import { formatSeconds, formatShare } from '../../components/format';
import { May } from '../../components/May';
import { More } from '../../components/More';
import { Page, Section } from '../../components/Page';
import { Status } from '../../components/Status';
import { Story } from '../../components/Story';
import { Table } from '../../components/Table';
import { undoToast } from '../../components/toasts';
import { Waiting } from '../../components/Waiting';
import { When } from '../../components/When';
import { jobs as s } from '../../strings/jobs';
import { etaWords } from '../job/eta';
import { CancelJob } from './CancelJob';

const isOpen = (job: JobView): boolean => job.state === 'QUEUED' || job.state === 'RUNNING';

/** From the start of the last attempt to its end. */
const tookWords = ({ startedAt, endedAt }: JobView): string =>
  formatSeconds(startedAt && endedAt ? (Date.parse(endedAt) - Date.parse(startedAt)) / 1000 : null);

/** A build under way: how far, in which step, how long still, and the way to end it. */
function OpenJob({ job }: { readonly job: JobView }) {
  return (
    <li className="card stack" style={{ gap: 6 }}>
      <div className="spread">
        <span className="row">
          <Status state={job.state} />
          <Link href={`/jobs/${job.id}`}>{job.title}</Link>
        </span>
        <CancelJob job={job} />
      </div>
      <Progress value={job.progress * 100} aria-label={`${s.progress}: ${job.title}`} />
      <span className="muted small">
        {formatShare(job.progress)}
        {job.step && ` · ${s.stepOf(job.step, (job.stepIndex ?? 0) + 1, job.steps ?? 1)}`}
        {job.etaSeconds && ` · ${etaWords(job.etaSeconds)}`}
      </span>
    </li>
  );
}

function PastJobs({ rows }: { readonly rows: readonly JobView[] }) {
  return (
    <Table
      label={s.past}
      rows={rows}
      keyOf={(job) => job.id}
      columns={[
        { name: s.job, cell: (job) => <Link href={`/jobs/${job.id}`}>{job.title}</Link> },
        { name: s.state, cell: (job) => <Status state={job.state} /> },
        { name: s.profile, wide: true, cell: (job) => job.profile ?? '–' },
        { name: s.by, wide: true, cell: (job) => job.requestedBy },
        { name: s.took, num: true, cell: tookWords },
        { name: s.created, wide: true, cell: (job) => <When at={job.createdAt} /> },
      ]}
    />
  );
}

/** One model's line of time, with the switch that ends it. */
function ModelStory({ decisions }: { readonly decisions: readonly DecisionView[] }) {
  const models = useModels();
  const flip = useChange({ touches: ['model', 'models'] });
  const first = decisions[0];
  const model = models.data?.find(({ id }) => id === first?.modelId);
  if (!first) return null;
  const set = (autoOptimize: boolean, then?: () => void) =>
    flip.mutate({ method: 'PATCH', path: `/models/${first.modelId}`, body: { autoOptimize } }, { onSuccess: then });
  return (
    <div className="stack">
      <div className="spread">
        <Link href={`/models/${first.modelId}`}>{first.model}</Link>
        {model?.autoOptimize && (
          <May>
            <Button
              size="compact-sm"
              variant="default"
              loading={flip.isPending}
              onClick={() => set(false, () => undoToast(s.stopped, () => set(true)))}
            >
              {s.stop}
            </Button>
          </May>
        )}
      </div>
      <Story decisions={decisions} />
    </div>
  );
}

/** What is being made, how long it takes, and what was tried by itself. */
export default function OptimizationsPage() {
  const jobs = useJobs();
  const decisions = useDecisions();
  const open = jobs.rows.filter(isOpen);
  const past = jobs.rows.filter((job) => !isOpen(job));
  const stories = Object.values(Object.groupBy(decisions.rows, (decision) => decision.modelId));
  return (
    <Page title={s.title}>
      <ErrorNote thrown={jobs.error} onRetry={() => void jobs.refetch()} />
      {jobs.isPending && !jobs.error && <Waiting />}
      {jobs.data && jobs.total === 0 && (
        <Empty title={s.empty} why={s.emptyWhy} action={<Link href="/models">{s.toModels}</Link>} />
      )}
      {jobs.total > 0 && (
        <Section title={s.running}>
          {open.length === 0 ? (
            <span className="muted">{s.noneRunning}</span>
          ) : (
            <ul className="bare stack" aria-live="polite">
              {open.map((job) => (
                <OpenJob key={job.id} job={job} />
              ))}
            </ul>
          )}
        </Section>
      )}
      <Section title={s.stories}>
        {stories.length === 0 && <span className="muted">{s.storiesEmpty}</span>}
        <div className="stack-lg">
          {stories.map((story) => story && <ModelStory key={story[0]?.modelId} decisions={story} />)}
        </div>
      </Section>
      {past.length > 0 && (
        <Section title={s.past}>
          <PastJobs rows={past} />
          <More pages={jobs} />
        </Section>
      )}
    </Page>
  );
}
