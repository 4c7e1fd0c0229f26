import type { DatasetRow, ModelView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { useDatasets } from '../../api/queries';
import { formatCount } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { Section } from '../../components/Page';
import { models as s } from '../../strings/models';
import { AddData } from './AddData';

const words = (row: DatasetRow): string =>
  `${s.counts(formatCount(row.calibrationSamples), formatCount(row.evaluationSamples))}${row.fieldSamples > 0 ? s.ofField(formatCount(row.fieldSamples)) : ''}, ${row.labelled ? s.labelled : s.unlabelled}`;

/** Click two of six: the data set a model is calibrated and proved with. Stored with the model at once. */
export function PickData({ model }: { readonly model: ModelView }) {
  const datasets = useDatasets();
  const [adding, setAdding] = useState(false);
  const pick = useChange({ touches: ['model', 'models'] });
  const choose = (datasetId: string) =>
    pick.mutate({ method: 'PATCH', path: `/models/${model.id}`, body: { datasetId } });
  const chosen = pick.isPending ? (pick.variables.body as { datasetId: string }).datasetId : model.datasetId;
  return (
    <Section title={s.step1}>
      <div className="stack">
        <span className="muted small">{s.step1Why}</span>
        <Loaded query={datasets}>
          {(rows) => (
            <>
              {rows.length === 0 && <span>{s.noDatasets}</span>}
              <div className="stack" role="radiogroup" aria-label={s.step1} style={{ gap: 8 }}>
                {rows.map((row) => (
                  <label key={row.id} className="choice">
                    <input
                      type="radio"
                      name="dataset"
                      value={row.id}
                      checked={chosen === row.id}
                      onChange={() => choose(row.id)}
                    />
                    <span>
                      <strong>{row.name}</strong> <span className="muted small">{words(row)}</span>
                    </span>
                  </label>
                ))}
              </div>
              {adding || rows.length === 0 ? (
                <AddData
                  onAdded={(row) => {
                    setAdding(false);
                    choose(row.id);
                  }}
                />
              ) : (
                <Button variant="default" style={{ alignSelf: 'flex-start' }} onClick={() => setAdding(true)}>
                  {s.addDataset}
                </Button>
              )}
            </>
          )}
        </Loaded>
      </div>
    </Section>
  );
}
