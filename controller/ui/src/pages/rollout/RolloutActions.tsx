import type { RolloutView } from '@espalier/proto/api';
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../api/mutations';
import { Confirm } from '../../components/Confirm';
import { formatCount } from '../../components/format';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { undoToast } from '../../components/toasts';
import { common } from '../../strings/common';
import { rollouts as s } from '../../strings/rollouts';
import { possibleCommands } from './commands';

const touches = ['rollout', 'rollouts', 'fleet'] as const;

/** Pause and Resume act at once and can be taken back from the toast. */
function PauseResume({ rollout, verb }: { readonly rollout: RolloutView; readonly verb: 'pause' | 'resume' }) {
  const act = useChange({ touches });
  const send = (which: 'pause' | 'resume', onSuccess?: () => void) =>
    act.mutate({ method: 'POST', path: `/rollouts/${rollout.id}/${which}`, body: {} }, { onSuccess });
  const back = verb === 'pause' ? 'resume' : 'pause';
  return (
    <Button
      variant={verb === 'pause' ? 'default' : 'filled'}
      leftSection={<Icon path={verb === 'pause' ? icons.pause : icons.play} />}
      loading={act.isPending}
      onClick={() => send(verb, () => undoToast(verb === 'pause' ? s.paused : s.resumed, () => send(back)))}
    >
      {s[verb]}
    </Button>
  );
}

interface DialogProps {
  readonly rollout: RolloutView;
  readonly verb: 'stop' | 'rollback';
  readonly onClose: () => void;
}

/** Stop and Roll back name what they hit, and take a reason that stays in the history. */
function HarmDialog({ rollout, verb, onClose }: DialogProps) {
  const [reason, setReason] = useState('');
  const act = useChange({ touches, quiet: true, onDone: onClose });
  const path = `/rollouts/${rollout.id}/${verb}`;
  return (
    <Confirm
      title={`${s[verb]}: ${rollout.name}`}
      verb={s[verb]}
      busy={act.isPending}
      error={act.error}
      onClose={onClose}
      onConfirm={() => act.mutate({ method: 'POST', path, body: reason ? { reason } : {} })}
    >
      <p style={{ marginBlockStart: 0 }}>
        {verb === 'stop'
          ? s.stopLead(formatCount(rollout.inFlight))
          : s.rollbackLead(
              common.deviceCount(rollout.succeeded + rollout.inFlight),
              `${rollout.model} ${rollout.modelVersion}`,
            )}
      </p>
      <TextInput
        label={s.reason}
        maxLength={500}
        value={reason}
        data-autofocus
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirm>
  );
}

/** Only what the state allows. Stop stands apart from Pause, so that neither is hit for the other. */
export function RolloutActions({ rollout }: { readonly rollout: RolloutView }) {
  const [asked, setAsked] = useState<'stop' | 'rollback' | null>(null);
  const can = possibleCommands(rollout);
  return (
    <>
      {can.includes('pause') && <PauseResume key="pause" rollout={rollout} verb="pause" />}
      {can.includes('resume') && <PauseResume key="resume" rollout={rollout} verb="resume" />}
      {can.includes('rollback') && (
        <Button variant="default" leftSection={<Icon path={icons.back} />} onClick={() => setAsked('rollback')}>
          {s.rollback}
        </Button>
      )}
      {can.includes('stop') && (
        <Button variant="default" ms={24} leftSection={<Icon path={icons.stop} />} onClick={() => setAsked('stop')}>
          {s.stop}
        </Button>
      )}
      {asked && <HarmDialog rollout={rollout} verb={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
