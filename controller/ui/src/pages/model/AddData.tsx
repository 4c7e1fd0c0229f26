import type { DatasetRow } from '@espalier/proto/api';
import { Button, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { upload } from '../../api/client';
import { useChange } from '../../api/mutations';
import { useSession } from '../../api/queries';
import { DropZone } from '../../components/DropZone';
import { ErrorNote } from '../../components/ErrorNote';
import { models as s } from '../../strings/models';

type OnAdded = (row: DatasetRow) => void;

/** The name a data set proposes: its archive’s. */
const nameOf = (fileName: string): string => fileName.replace(/\.(zip|tar\.gz|tgz)$/i, '').slice(0, 64) || fileName;

/** A SPEC on the controller's machine: it names a path there, so the server takes it from administrators only. */
function RegisterSpec({ onAdded }: { readonly onAdded: OnAdded }) {
  const [name, setName] = useState('');
  const [calibrate, setCalibrate] = useState('');
  const [evaluate, setEvaluate] = useState('');
  const register = useChange<DatasetRow>({ touches: ['datasets'], quiet: true, onDone: onAdded });
  return (
    <details>
      <summary>{s.spec}</summary>
      <form
        className="stack"
        style={{ marginBlockStart: 8 }}
        onSubmit={(event) => {
          event.preventDefault();
          const body = { name, calibrate, evaluate: evaluate || null };
          register.mutate({ method: 'POST', path: '/datasets', body });
        }}
      >
        <TextInput
          label={s.datasetName}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label={s.spec}
          description={s.specHint}
          required
          value={calibrate}
          onChange={(event) => setCalibrate(event.currentTarget.value)}
        />
        <TextInput
          label={s.evaluateSpec}
          value={evaluate}
          onChange={(event) => setEvaluate(event.currentTarget.value)}
        />
        <ErrorNote thrown={register.error} />
        <Button type="submit" variant="default" loading={register.isPending}>
          {s.register}
        </Button>
      </form>
    </details>
  );
}

/** Upload of an archive, or a SPEC for administrators. `onAdded` gets the new data set. */
export function AddData({ onAdded }: { readonly onAdded: OnAdded }) {
  const client = useQueryClient();
  const session = useSession();
  const [sending, setSending] = useState<number | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const send = async (file: File) => {
    setFailed(null);
    setSending(0);
    try {
      const query = { name: nameOf(file.name), fileName: file.name };
      const row = await upload<DatasetRow>('/datasets/upload', query, file, setSending);
      await client.invalidateQueries({ queryKey: ['datasets'] });
      onAdded(row);
    } catch (thrown) {
      setFailed(thrown);
    } finally {
      setSending(null);
    }
  };
  return (
    <div className="stack">
      <DropZone
        label={s.dropData}
        accept=".zip,.tar.gz,.tgz"
        sending={sending}
        onFiles={([file]) => file && void send(file)}
      />
      <ErrorNote thrown={failed} />
      {session.data?.user.role === 'admin' && <RegisterSpec onAdded={onAdded} />}
    </div>
  );
}
