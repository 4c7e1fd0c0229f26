import type { CreateRollout, GroupPlan, ModelView, RolloutView } from '@espalier/proto/api';
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useChange } from '../../api/mutations';
import { useDevices } from '../../api/queries';
import { ErrorNote } from '../../components/ErrorNote';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { Section } from '../../components/Page';
import { common } from '../../strings/common';
import { rollouts as s } from '../../strings/rollouts';
import { GateFields } from './GateFields';
import { GroupFields } from './GroupFields';
import { defaultGroups } from './plan';
import { WhatEachGets } from './WhatEachGets';

interface Props {
  readonly model: ModelView;
  /** Ids of the builds that were chosen on the model's page; empty: the best ready one of each profile. */
  readonly wanted: readonly string[];
}

/** The whole plan on one page, filled in: what, to whom, in which groups, behind which gates. */
export function PlanForm({ model, wanted }: Props) {
  const [, go] = useLocation();
  const [name, setName] = useState('');
  const [filter, setFilter] = useState('');
  const [groups, setGroups] = useState<GroupPlan[]>(defaultGroups);
  const [gate, setGate] = useState<CreateRollout['gate']>({
    p95Us: model.budget.p95Us,
    maxRegression: 1.25,
    minDevices: 1,
  });
  const matching = useDevices(filter);
  const ready = model.variantRows.filter((row) => row.state === 'ready');
  const variants = ready.filter((row) => wanted.length === 0 || wanted.includes(row.id));
  const create = useChange<RolloutView>({
    touches: ['rollouts', 'fleet'],
    quiet: true,
    onDone: (rollout) => go(`/rollouts/${rollout.id}`),
  });
  const start = () => {
    const variantIds = wanted.length === 0 ? [] : variants.map(({ id }) => id);
    const body = { modelId: model.id, variantIds, filter, groups, gate, start: true, ...(name && { name }) };
    create.mutate({ method: 'POST', path: '/rollouts', body });
  };
  return (
    <form
      className="stack-lg"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <Section title={s.what}>
        <WhatEachGets variants={variants} isBest={wanted.length === 0} />
      </Section>
      <Section title={s.whom}>
        <div className="row" style={{ alignItems: 'flex-end' }}>
          <TextInput
            label={s.filter}
            description={s.filterHint}
            miw={280}
            value={filter}
            onChange={(event) => setFilter(event.currentTarget.value)}
          />
          <span className="muted" aria-live="polite" style={{ paddingBlockEnd: 8 }}>
            {matching.data && s.matching(common.deviceCount(matching.total))}
          </span>
        </div>
      </Section>
      <Section title={s.plan}>
        <GroupFields groups={groups} onChange={setGroups} />
      </Section>
      <Section title={s.gates}>
        <GateFields gate={gate} onChange={setGate} />
      </Section>
      <div className="stack" style={{ alignItems: 'flex-start' }}>
        <TextInput
          label={s.optional}
          maxLength={80}
          miw={280}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <ErrorNote thrown={create.error} />
        <Button
          type="submit"
          size="md"
          leftSection={<Icon path={icons.play} />}
          loading={create.isPending}
          disabled={variants.length === 0}
        >
          {s.start}
        </Button>
      </div>
    </form>
  );
}
