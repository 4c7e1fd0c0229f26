import type { SamplingView } from '@espalier/proto/api';
import { Button, NumberInput, Switch } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { ErrorNote } from '../../components/ErrorNote';
import { doneToast } from '../../components/toasts';
import { samples as s } from '../../strings/samples';

interface FieldProps {
  readonly label: string;
  readonly suffix: string;
  readonly min: number;
  readonly max: number;
  readonly value: number;
  readonly onChange: (value: number) => void;
}

/** A limit in the unit that people say it in; one that is emptied is none. */
const Limit = ({ onChange, ...shown }: FieldProps) => (
  <NumberInput
    {...shown}
    required
    clampBehavior="strict"
    decimalScale={2}
    hideControls
    onChange={(value) => onChange(Number(value))}
  />
);

/** What devices may keep, for administrators: nothing until the switch is on and saved. */
export function SamplingForm({ modelId, view }: { readonly modelId: string; readonly view: SamplingView }) {
  const [policy, setPolicy] = useState(view.policy);
  const save = useChange<SamplingView>({
    touches: ['sampling', 'field-samples'],
    quiet: true,
    onDone: (next) => doneToast(next.policy.enabled ? s.switchedOn : s.switchedOff),
  });
  const set = (change: Partial<typeof policy>) => setPolicy({ ...policy, ...change });
  return (
    <details>
      <summary>{s.change}</summary>
      <form
        className="stack"
        style={{ marginBlockStart: 12, maxInlineSize: 720 }}
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ method: 'PUT', path: `/models/${modelId}/sampling`, body: policy });
        }}
      >
        <div className="note" data-tone="warning">
          <p>{s.warning}</p>
        </div>
        <Switch
          label={s.enabled}
          checked={policy.enabled}
          onChange={(event) => set({ enabled: event.currentTarget.checked })}
        />
        <div className="fields" style={{ gridTemplateColumns: 'repeat(auto-fill, minmax(160px, 1fr))' }}>
          <Limit
            {...{ label: s.confidence, suffix: s.percent, min: 1, max: 100 }}
            value={Math.round(policy.confidenceBelow * 1e4) / 100}
            onChange={(value) => set({ confidenceBelow: value / 100 })}
          />
          <Limit
            {...{ label: s.perDay, suffix: s.perDayUnit, min: 1, max: 1000 }}
            value={policy.perDay}
            onChange={(value) => set({ perDay: Math.round(value) })}
          />
          <Limit
            {...{ label: s.size, suffix: s.mb, min: 0.1, max: 1000 }}
            value={policy.bytesMax / 1e6}
            onChange={(value) => set({ bytesMax: Math.round(value * 1e6) })}
          />
          <Limit
            {...{ label: s.retentionDays, suffix: s.days, min: 1, max: 365 }}
            value={policy.retentionDays}
            onChange={(value) => set({ retentionDays: Math.round(value) })}
          />
        </div>
        <ErrorNote thrown={save.error} />
        <Button type="submit" variant="default" loading={save.isPending} style={{ alignSelf: 'flex-start' }}>
          {s.save}
        </Button>
      </form>
    </details>
  );
}
