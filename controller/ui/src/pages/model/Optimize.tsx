import type { JobView, ModelView } from '@espalier/proto/api';
import { Button, Progress } from '@mantine/core';
import { Link } from 'wouter';
import { useChange } from '../../api/mutations';
import { useJobs } from '../../api/queries';
import { formatShare } from '../../components/format';
import { Status, Tone } from '../../components/Status';
import { doneToast } from '../../components/toasts';
import { models as s } from '../../strings/models';
import { etaWords } from '../job/eta';

/** The builds of this model that are queued or run, as they move. */
function RunningJobs({ modelId }: { readonly modelId: string }) {
  const jobs = useJobs();
  const running = jobs.rows.filter((job) => job.modelId === modelId && /^(QUEUED|RUNNING)$/.test(job.state));
  if (running.length === 0) return null;
  return (
    <ul className="bare stack" aria-live="polite">
      {running.map((job) => (
        <li key={job.id}>
          <div className="spread">
            <span className="row">
              <Status state={job.state} />
              <Link href={`/jobs/${job.id}`}>{job.title}</Link>
            </span>
            <span className="muted small">
              {job.step} · {formatShare(job.progress)}
              {job.etaSeconds && ` · ${etaWords(job.etaSeconds)}`}
            </span>
          </div>
          <Progress value={job.progress * 100} size="sm" aria-label={job.title} />
        </li>
      ))}
    </ul>
  );
}

/** Click three of six: builds for every profile of the fleet, with the data picked; then the builds under way. */
export function Optimize({ model }: { readonly model: ModelView }) {
  const start = useChange<JobView[]>({
    touches: ['jobs', 'model', 'fleet'],
    onDone: (jobs) => doneToast(s.optimizeStarted(jobs.reduce((sum, { parts }) => sum + parts.length, 0))),
  });
  const profiles = model.fleet.map(({ profile }) => profile).join(', ');
  return (
    <div className="card stack">
      <div className="row">
        <Button
          size="md"
          loading={start.isPending}
          disabled={!model.datasetId}
          onClick={() => start.mutate({ method: 'POST', path: `/models/${model.id}/optimize`, body: {} })}
        >
          {s.optimize}
        </Button>
        <span className="muted">
          {!model.datasetId ? s.needsData : profiles ? s.optimizeFor(profiles) : s.optimizeNoFleet}
        </span>
      </div>
      {model.datasetId && !model.preprocess && (
        <Tone tone="warning">
          <span style={{ whiteSpace: 'normal' }}>{s.needsPreprocess}</span>
        </Tone>
      )}
      <RunningJobs modelId={model.id} />
    </div>
  );
}
