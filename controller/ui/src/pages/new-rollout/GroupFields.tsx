import type { GroupPlan } from '@espalier/proto/api';
import { ActionIcon, Button, NumberInput, TextInput } from '@mantine/core';
import { Icon } from '../../components/Icon';
import { icons } from '../../components/icons';
import { rollouts as s } from '../../strings/rollouts';
import { withGroup } from './plan';

interface Props {
  readonly groups: readonly GroupPlan[];
  readonly onChange: (groups: GroupPlan[]) => void;
}

interface FieldProps {
  readonly group: GroupPlan;
  readonly onChange: (part: Partial<GroupPlan>) => void;
}

const numbers = [
  ['percent', s.percent, s.percentSuffix, 1, 100],
  ['successThreshold', s.success, s.percentSuffix, 1, 100],
  ['errorThreshold', s.errors, s.percentSuffix, 1, 100],
  ['soakSeconds', s.soak, s.seconds, 0, 86_400],
] as const;

function Fields({ group, onChange }: FieldProps) {
  return (
    <>
      <TextInput
        label={s.groupName}
        required
        withAsterisk={false}
        maxLength={40}
        value={group.name}
        onChange={(event) => onChange({ name: event.currentTarget.value })}
      />
      {numbers.map(([key, label, suffix, min, max]) => (
        <NumberInput
          key={key}
          label={label}
          suffix={suffix}
          min={min}
          max={max}
          hideControls
          required
          withAsterisk={false}
          value={group[key]}
          onChange={(value) => onChange({ [key]: Number(value) })}
        />
      ))}
    </>
  );
}

/** The groups in order, each a line of fields; the last one takes what is left and stays. */
export function GroupFields({ groups, onChange }: Props) {
  const change = (index: number, part: Partial<GroupPlan>) =>
    onChange(groups.map((group, at) => (at === index ? { ...group, ...part } : group)));
  return (
    <div className="stack">
      <span className="muted small">{s.planLead}</span>
      {groups.map((group, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a group is its place in the order; its name is being typed
        <fieldset key={index} className="card fields" style={{ margin: 0 }}>
          <legend className="muted small">{index + 1}</legend>
          <Fields group={group} onChange={(part) => change(index, part)} />
          {index < groups.length - 1 && (
            <ActionIcon
              variant="default"
              size={36}
              aria-label={s.removeGroup(group.name)}
              onClick={() => onChange(groups.filter((_, at) => at !== index))}
            >
              <Icon path={icons.failed} />
            </ActionIcon>
          )}
        </fieldset>
      ))}
      <Button
        variant="default"
        leftSection={<Icon path={icons.plus} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => onChange(withGroup(groups))}
      >
        {s.addGroup}
      </Button>
    </div>
  );
}
