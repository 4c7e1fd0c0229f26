import type { CreateRollout } from '@espalier/proto/api';
import { NumberInput } from '@mantine/core';
import { rollouts as s } from '../../strings/rollouts';

type Gate = CreateRollout['gate'];

interface Props {
  readonly gate: Gate;
  readonly onChange: (gate: Gate) => void;
}

/** What devices must measure before the next group starts; an empty field does not gate. */
export function GateFields({ gate, onChange }: Props) {
  const orNull = (value: string | number, scale = 1) => (value === '' ? null : Number(value) * scale);
  return (
    <div className="fields" style={{ gridTemplateColumns: 'repeat(auto-fill, minmax(220px, 1fr))' }}>
      <NumberInput
        label={s.gateP95}
        suffix={s.ms}
        min={0.001}
        decimalScale={3}
        hideControls
        value={gate.p95Us === null ? '' : gate.p95Us / 1000}
        onChange={(value) => {
          const us = orNull(value, 1000);
          onChange({ ...gate, p95Us: us === null ? null : Math.round(us) });
        }}
      />
      <NumberInput
        label={s.gateRegression}
        suffix={s.times}
        min={0.1}
        decimalScale={2}
        hideControls
        value={gate.maxRegression ?? ''}
        onChange={(value) => onChange({ ...gate, maxRegression: orNull(value) })}
      />
      <NumberInput
        label={s.gateDevices}
        min={1}
        hideControls
        value={gate.minDevices}
        onChange={(value) => onChange({ ...gate, minDevices: Math.max(1, Number(value)) })}
      />
    </div>
  );
}
