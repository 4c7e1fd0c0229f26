import type { ModelView } from '@espalier/proto/api';
import { Button, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { ErrorNote } from '../../components/ErrorNote';
import { Tone } from '../../components/Status';
import { doneToast } from '../../components/toasts';
import { models as s } from '../../strings/models';
import { proposePreprocess } from './propose-preprocess';

/** Wrapped, because `null` is a valid record: none. */
const parse = (text: string): { value: unknown } | null => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
};

/** The preprocessing record as JSON; where there is none, a proposal from the input's shape to check and save. */
export function PreprocessForm({ model }: { readonly model: ModelView }) {
  const proposal = model.preprocess ?? proposePreprocess(model.info.inputs);
  const [text, setText] = useState(proposal ? JSON.stringify(proposal, null, 2) : '');
  const save = useChange({ touches: ['model', 'models'], quiet: true, onDone: () => doneToast(s.preprocessSaved) });
  const parsed = parse(text || 'null');
  const submit = () => {
    if (parsed) save.mutate({ method: 'PATCH', path: `/models/${model.id}`, body: { preprocess: parsed.value } });
  };
  return (
    <details open={model.preprocess === null}>
      <summary>{s.changePreprocess}</summary>
      <form
        className="stack"
        style={{ marginBlockStart: 8 }}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        {!model.preprocess && (
          <Tone tone="warning">
            <span style={{ whiteSpace: 'normal' }}>{proposal ? s.preprocessProposed : s.noPreprocess}</span>
          </Tone>
        )}
        <Textarea
          label={s.preprocess}
          description={s.preprocessHint}
          rows={10}
          styles={{ input: { fontFamily: 'var(--mono)', fontSize: 12 } }}
          error={parsed ? null : s.notJson}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <ErrorNote thrown={save.error} />
        <Button
          type="submit"
          variant="default"
          loading={save.isPending}
          disabled={!parsed}
          style={{ alignSelf: 'flex-start' }}
        >
          {s.savePreprocess}
        </Button>
      </form>
    </details>
  );
}
