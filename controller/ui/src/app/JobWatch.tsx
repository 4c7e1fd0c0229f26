import type { JobState } from '@espalier/proto/api';
import { useEffect, useRef } from 'react';
import { useJobs } from '../api/queries';
import { jobToast } from '../components/toasts';

const isOpen = (state: JobState | undefined): boolean => state === 'QUEUED' || state === 'RUNNING';

/** Tells on every page when a build ends that was seen under way; what had ended before stays silent. */
export function JobWatch() {
  const { rows } = useJobs();
  const seen = useRef(new Map<string, JobState>());
  useEffect(() => {
    for (const job of rows) {
      if (isOpen(seen.current.get(job.id)) && !isOpen(job.state)) jobToast(job);
      seen.current.set(job.id, job.state);
    }
  }, [rows]);
  return null;
}
