import type { PruningGroups as Groups, ModelView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useGroups } from '../../api/queries';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { Table } from '../../components/Table';
import { models as s } from '../../strings/models';

function Tables({ groups, frozen }: Groups) {
  return (
    <div className="stack">
      {groups.length === 0 && <span className="muted">{s.noGroups}</span>}
      {groups.length > 0 && (
        <Table
          label={s.groups}
          rows={groups}
          keyOf={({ group }) => group}
          columns={[
            {
              name: s.group,
              cell: ({ group, tied, producers }) => (
                <>
                  <code className="mono">{group}</code>
                  {tied && <span className="muted small"> {s.tiedLayers(producers.length)}</span>}
                </>
              ),
            },
            { name: s.channels, num: true, cell: ({ channels }) => channels },
            { name: s.readBy, wide: true, cell: ({ consumers }) => consumers.join(', ') },
          ]}
        />
      )}
      {frozen.length > 0 && (
        <Table
          label={s.frozenNode}
          rows={frozen}
          keyOf={({ node }) => node}
          columns={[
            { name: s.frozenNode, cell: ({ node }) => <code className="mono">{node}</code> },
            { name: s.channels, num: true, cell: ({ channels }) => channels },
            { name: s.frozenWhy, cell: ({ reason }) => reason },
          ]}
        />
      )}
    </div>
  );
}

/** The dependency groups of the model; traced only when someone asks, because that runs it. */
export function PruningGroups({ model }: { readonly model: ModelView }) {
  const [isAsked, setAsked] = useState(false);
  const query = useGroups(model.id, isAsked);
  const actions = !isAsked && (
    <Button variant="default" onClick={() => setAsked(true)}>
      {s.groupsShow}
    </Button>
  );
  return (
    <Section title={s.groups} actions={actions}>
      <div className="card stack">
        <span className="muted">{s.groupsLead}</span>
        {isAsked && (
          <Loaded query={query} lines={5}>
            {(found) => <Tables {...found} />}
          </Loaded>
        )}
      </div>
    </Section>
  );
}
