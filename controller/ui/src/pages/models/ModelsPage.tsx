import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useModels } from '../../api/queries';
import { DropZone } from '../../components/DropZone';
import { Empty } from '../../components/Empty';
import { ErrorNote } from '../../components/ErrorNote';
import { formatBytes, formatCount } from '../../components/format';
import { Loaded } from '../../components/Loaded';
import { May } from '../../components/May';
import { Page } from '../../components/Page';
import { Table } from '../../components/Table';
import { When } from '../../components/When';
import { models as s } from '../../strings/models';
import { budgetWords } from '../model/budget-words';
import { registerModel } from './register-model';

/** Click one of six: files become a model, and its page opens. */
function DropModel() {
  const [, go] = useLocation();
  const client = useQueryClient();
  const [sending, setSending] = useState<number | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const send = async (files: File[]) => {
    setFailed(null);
    setSending(0);
    try {
      const model = await registerModel(files, setSending);
      await client.invalidateQueries({ queryKey: ['models'] });
      go(`/models/${model.id}`);
    } catch (thrown) {
      setFailed(thrown);
    } finally {
      setSending(null);
    }
  };
  return (
    <div className="stack">
      <DropZone label={s.drop} accept=".onnx,.json,.txt" sending={sending} onFiles={(files) => void send(files)}>
        <span className="muted small">{s.dropHint}</span>
      </DropZone>
      <ErrorNote thrown={failed} />
    </div>
  );
}

/** Which models, and the place where a new one comes in. */
export default function ModelsPage() {
  const models = useModels();
  return (
    <Page title={s.title}>
      <May>
        <DropModel />
      </May>
      <Loaded query={models}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={s.empty} why={s.emptyWhy} />
          ) : (
            <Table
              label={s.title}
              rows={rows}
              keyOf={(row) => row.id}
              columns={[
                { name: s.name, cell: (row) => <Link href={`/models/${row.id}`}>{row.name}</Link> },
                { name: s.version, cell: (row) => row.version },
                { name: s.size, num: true, wide: true, cell: (row) => formatBytes(row.sizeBytes) },
                { name: s.variants, num: true, cell: (row) => formatCount(row.variants) },
                { name: s.devices, num: true, cell: (row) => formatCount(row.devices) },
                { name: s.budget, wide: true, cell: (row) => budgetWords(row.budget) },
                { name: s.auto, wide: true, cell: (row) => (row.autoOptimize ? s.on : s.off) },
                { name: s.created, wide: true, cell: (row) => <When at={row.createdAt} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
