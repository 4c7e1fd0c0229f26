import type { ModelView } from '@espalier/proto/api';
import { Switch } from '@mantine/core';
import { useChange } from '../../api/mutations';
import { undoToast } from '../../components/toasts';
import { models as s } from '../../strings/models';

type Flag = 'autoOptimize' | 'requireApproval' | 'trustContended';

/** What the closed loop may do with this model. Reversible, so each acts at once and can be taken back. */
export function LoopSwitches({ model }: { readonly model: ModelView }) {
  const flip = useChange({ touches: ['model', 'models', 'decisions'] });
  const path = `/models/${model.id}`;
  const set = (flag: Flag, value: boolean) =>
    flip.mutate(
      { method: 'PATCH', path, body: { [flag]: value } },
      {
        onSuccess: () =>
          undoToast(s.switched[flag](value), () => flip.mutate({ method: 'PATCH', path, body: { [flag]: !value } })),
      },
    );
  return (
    <div className="stack" style={{ gap: 8 }}>
      {(['autoOptimize', 'requireApproval', 'trustContended'] as const).map((flag) => (
        <Switch
          key={flag}
          label={s.switches[flag]}
          checked={model[flag]}
          disabled={flip.isPending || (flag !== 'autoOptimize' && !model.autoOptimize)}
          onChange={(event) => set(flag, event.currentTarget.checked)}
        />
      ))}
    </div>
  );
}
