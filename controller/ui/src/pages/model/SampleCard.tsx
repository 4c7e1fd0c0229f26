import type { FieldSampleRow } from '@espalier/proto/api';
import { Button, NativeSelect } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { address } from '../../api/client';
import { useChange } from '../../api/mutations';
import { useFieldValues } from '../../api/queries';
import { Confirm } from '../../components/Confirm';
import { Facts } from '../../components/Facts';
import { formatShare } from '../../components/format';
import { doneToast } from '../../components/toasts';
import { When } from '../../components/When';
import { samples as s } from '../../strings/samples';

/** More labels than this are chosen from a list. */
const BUTTONS_MAX = 12;
const touches = ['sampling', 'field-samples'];
const three = (value: number): string => value.toPrecision(3);

interface Props {
  readonly sample: FieldSampleRow;
  readonly labels: readonly string[];
}

/** An input that is no picture, in figures. */
function Values({ id }: { readonly id: string }) {
  const { data } = useFieldValues(id);
  if (!data) return <div className="sample-picture" />;
  return (
    <div className="sample-picture small">
      <strong>{s.valuesOf(data.type, data.shape.join(' × '))}</strong>
      <span className="muted">{s.range(three(data.min), three(data.max), three(data.mean))}</span>
      <code className="mono" title={s.firstValues}>
        {data.first.slice(0, 12).map(three).join(' ')} …
      </code>
    </div>
  );
}

/** What people say that it is: a click where there are few classes, a list where there are many. */
function Labels({ sample, labels }: Props) {
  const label = useChange({ touches });
  const give = (index: number) =>
    label.mutate({ method: 'PUT', path: `/field-samples/${sample.id}/label`, body: { label: index } });
  if (labels.length > BUTTONS_MAX)
    return (
      <NativeSelect
        aria-label={s.labelAs}
        size="xs"
        disabled={label.isPending}
        value=""
        data={[{ value: '', label: s.chooseLabel }, ...labels.map((name, at) => ({ value: String(at), label: name }))]}
        onChange={(event) => event.currentTarget.value !== '' && give(Number(event.currentTarget.value))}
      />
    );
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw its own frame around buttons
    <div role="group" aria-label={s.labelAs} className="sample-labels">
      {labels.map((name, at) => (
        <Button key={name} size="compact-sm" variant="default" disabled={label.isPending} onClick={() => give(at)}>
          {name}
        </Button>
      ))}
    </div>
  );
}

function Remove({ id }: { readonly id: string }) {
  const [asked, setAsked] = useState(false);
  const remove = useChange({ touches, quiet: true, onDone: () => doneToast(s.removed) });
  return (
    <>
      <Button size="compact-sm" variant="subtle" onClick={() => setAsked(true)}>
        {s.remove}
      </Button>
      {asked && (
        <Confirm
          title={s.removeTitle}
          verb={s.remove}
          busy={remove.isPending}
          error={remove.error}
          onClose={() => setAsked(false)}
          onConfirm={() => remove.mutate({ method: 'DELETE', path: `/field-samples/${id}` })}
        >
          {s.removeLead}
        </Confirm>
      )}
    </>
  );
}

/** One input: what it is, what the model said, and what a person says. */
export function SampleCard({ sample, labels }: Props) {
  const { id, guess, confidence, deviceId, deviceName, state } = sample;
  const change = useChange({ touches });
  const set = (body: object) => change.mutate({ method: 'PUT', path: `/field-samples/${id}/label`, body });
  const guessed = labels[guess] ?? String(guess);
  return (
    <li className="card sample">
      {sample.shownAs === 'picture' ? (
        <img
          className="sample-picture"
          src={address(`/field-samples/${id}/picture`)}
          alt={s.picture(guessed)}
          loading="lazy"
        />
      ) : (
        <Values id={id} />
      )}
      <Facts
        of={[
          [
            s.says,
            <span key="says">
              <strong>{guessed}</strong> <span className="muted">{s.sure(formatShare(confidence))}</span>
            </span>,
          ],
          ...(sample.label === null
            ? []
            : [[s.label, s.labelled(labels[sample.label] ?? String(sample.label), sample.labelledBy ?? '')] as const]),
          [
            s.from,
            deviceName === null ? (
              s.removedDevice
            ) : (
              <Link key="from" href={`/devices/${deviceId}`}>
                {deviceName}
              </Link>
            ),
          ],
          [s.taken, <When key="taken" at={sample.takenAt} />],
          [s.deleted, <When key="deleted" at={sample.keptUntil} />],
        ]}
      />
      {state === 'open' && <Labels sample={sample} labels={labels} />}
      <div className="row" style={{ gap: 4, marginBlockStart: 'auto' }}>
        {state === 'open' ? (
          <Button size="compact-sm" variant="subtle" onClick={() => set({ label: null, usable: false })}>
            {s.unusable}
          </Button>
        ) : (
          <Button size="compact-sm" variant="subtle" onClick={() => set({ label: null })}>
            {s.reopen}
          </Button>
        )}
        <Remove id={id} />
      </div>
    </li>
  );
}
