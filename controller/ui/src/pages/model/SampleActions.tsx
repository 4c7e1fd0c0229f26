import type { DatasetRow, ModelView, SamplingView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { Confirm } from '../../components/Confirm';
import { May } from '../../components/May';
import { doneToast } from '../../components/toasts';
import { samples as s } from '../../strings/samples';

interface Props {
  readonly model: ModelView;
  readonly view: SamplingView;
}

/** A data set of the labelled samples; where one was made, the way to use it. */
export function MakeData({ model, view }: Props) {
  const [made, setMade] = useState<DatasetRow | null>(null);
  const make = useChange<DatasetRow>({ touches: ['datasets'], onDone: setMade });
  const use = useChange({
    touches: ['model', 'models'],
    onDone: () => {
      setMade(null);
      doneToast(s.used);
    },
  });
  const { labelled } = view.counts;
  if (labelled === 0) return null;
  return (
    <div className="stack" style={{ gap: 8 }}>
      <span className="muted small">{s.makeLead}</span>
      <Button
        variant="default"
        style={{ alignSelf: 'flex-start' }}
        loading={make.isPending}
        onClick={() => make.mutate({ method: 'POST', path: `/models/${model.id}/field-samples/dataset`, body: {} })}
      >
        {s.make(labelled)}
      </Button>
      {made && (
        <div className="note spread" data-tone="good" role="status">
          <span>{s.made(made.name)}</span>
          <Button
            variant="default"
            size="compact-sm"
            loading={use.isPending}
            onClick={() => use.mutate({ method: 'PATCH', path: `/models/${model.id}`, body: { datasetId: made.id } })}
          >
            {s.use}
          </Button>
        </div>
      )}
    </div>
  );
}

/** For administrators: everything that devices ever sent of this model. */
export function DeleteAll({ model, view }: Props) {
  const [asked, setAsked] = useState(false);
  const remove = useChange({
    touches: ['sampling', 'field-samples', 'datasets', 'model'],
    quiet: true,
    onDone: () => {
      setAsked(false);
      doneToast(s.removedAll);
    },
  });
  const { open, labelled, unusable } = view.counts;
  const count = open + labelled + unusable;
  if (count === 0) return null;
  return (
    <May least="admin">
      <Button variant="default" size="compact-sm" onClick={() => setAsked(true)}>
        {s.removeAll}
      </Button>
      {asked && (
        <Confirm
          title={s.removeAll}
          verb={s.remove}
          name={model.name}
          busy={remove.isPending}
          error={remove.error}
          onClose={() => setAsked(false)}
          onConfirm={() => remove.mutate({ method: 'DELETE', path: `/models/${model.id}/field-samples` })}
        >
          {s.removeAllLead(count, s.removeAllDatasets)}
        </Confirm>
      )}
    </May>
  );
}
