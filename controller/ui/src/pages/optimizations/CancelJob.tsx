import type { JobView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { useChange } from '../../api/mutations';
import { May } from '../../components/May';
import { jobs as s } from '../../strings/jobs';

/** Cancel while it runs, try again when it failed or was canceled; nothing else. */
export function CancelJob({ job }: { readonly job: JobView }) {
  const act = useChange({ touches: ['jobs', 'job', 'variants', 'model'] });
  const verb = /^(QUEUED|RUNNING)$/.test(job.state) ? 'cancel' : /^(FAILED|CANCELED)$/.test(job.state) ? 'retry' : null;
  if (!verb) return null;
  return (
    <May>
      <Button
        size="compact-sm"
        variant="default"
        loading={act.isPending}
        aria-label={`${s[verb]}: ${job.title}`}
        onClick={() => act.mutate({ method: 'POST', path: `/jobs/${job.id}/${verb}`, body: {} })}
      >
        {s[verb]}
      </Button>
    </May>
  );
}
