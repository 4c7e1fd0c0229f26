import type { DecisionView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { useChange } from '../api/mutations';
import { decisions as s } from '../strings/decisions';
import { May } from './May';
import { undoToast } from './toasts';

/** "Stop doing this": switches the closed loop off for the profile that a decision is about. Can be taken back. */
export function StopProfile({ decision: { modelId, profile } }: { readonly decision: DecisionView }) {
  const flip = useChange({ touches: ['model', 'decisions'] });
  const path = `/models/${modelId}/loop/${profile}`;
  const set = (automatic: boolean, then?: () => void) =>
    flip.mutate({ method: 'PUT', path, body: { automatic } }, { onSuccess: then });
  return (
    <May>
      <Button
        size="compact-xs"
        variant="subtle"
        loading={flip.isPending}
        onClick={() => set(false, () => undoToast(s.stopped(profile), () => set(true)))}
      >
        {s.stop}
      </Button>
    </May>
  );
}
