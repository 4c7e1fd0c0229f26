import type { ModelView } from '@espalier/proto/api';
import { Button, NumberInput } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { ErrorNote } from '../../components/ErrorNote';
import { doneToast } from '../../components/toasts';
import { models as s } from '../../strings/models';

type Field = number | '';
const field = (value: string | number): Field => (value === '' ? '' : Number(value));
/** From the unit shown (ms, MB) to the contract’s (us, bytes); empty is no limit. */
const scaled = (value: Field, unit: number): number | null => (value === '' ? null : Math.round(value * unit));
const shown = (value: number | null, unit: number): Field => (value === null ? '' : value / unit);

/** The three limits of a model, in the units people say them in. */
export function BudgetForm({ model }: { readonly model: ModelView }) {
  const [drop, setDrop] = useState<Field>(model.budget.maxAccuracyDrop ?? '');
  const [p95Ms, setP95Ms] = useState<Field>(shown(model.budget.p95Us, 1000));
  const [sizeMb, setSizeMb] = useState<Field>(shown(model.budget.maxSizeBytes, 1e6));
  const save = useChange({
    touches: ['model', 'models', 'fleet'],
    quiet: true,
    onDone: () => doneToast(s.budgetSaved),
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        const budget = {
          maxAccuracyDrop: drop === '' ? null : drop,
          p95Us: scaled(p95Ms, 1000),
          maxSizeBytes: scaled(sizeMb, 1e6),
        };
        save.mutate({ method: 'PATCH', path: `/models/${model.id}`, body: { budget } });
      }}
    >
      <span className="muted small">{s.budgetLead}</span>
      <NumberInput
        label={s.maxDrop}
        min={0}
        max={100}
        decimalScale={2}
        hideControls
        value={drop}
        onChange={(value) => setDrop(field(value))}
      />
      <NumberInput
        label={s.p95}
        suffix={s.ms}
        min={0.001}
        decimalScale={3}
        hideControls
        value={p95Ms}
        onChange={(value) => setP95Ms(field(value))}
      />
      <NumberInput
        label={s.maxSize}
        suffix={s.mb}
        min={0.001}
        decimalScale={3}
        hideControls
        value={sizeMb}
        onChange={(value) => setSizeMb(field(value))}
      />
      <ErrorNote thrown={save.error} />
      <Button type="submit" variant="default" loading={save.isPending} style={{ alignSelf: 'flex-start' }}>
        {s.saveBudget}
      </Button>
    </form>
  );
}
