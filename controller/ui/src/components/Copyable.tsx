import { Button } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { common } from '../strings/common';
import { Icon } from './Icon';
import { icons } from './icons';

/** Says for a moment that it has copied, also to screen readers. */
export function CopyButton({ value, label = common.copy }: { readonly value: string; readonly label?: string }) {
  const { copied, copy } = useClipboard();
  return (
    <Button
      size="compact-sm"
      variant="subtle"
      leftSection={<Icon path={copied ? icons.good : icons.copy} size={14} />}
      onClick={() => copy(value)}
    >
      <span aria-live="polite">{copied ? common.copied : label}</span>
    </Button>
  );
}

/** A command or secret, whole, with the button that copies it. */
export function Copyable({ value }: { readonly value: string }) {
  return (
    <div className="code">
      <code>{value}</code>
      <CopyButton value={value} />
    </div>
  );
}
