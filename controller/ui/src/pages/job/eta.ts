import type { JobView } from '@espalier/proto/api';
import { formatSeconds } from '../../components/format';
import { jobs } from '../../strings/jobs';

/** What is left, as a range: one number would promise what past builds do not. */
export const etaWords = ({ low, high }: NonNullable<JobView['etaSeconds']>): string =>
  jobs.eta(formatSeconds(low), formatSeconds(high));
