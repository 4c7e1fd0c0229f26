import { Button, Modal, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { common } from '../strings/common';
import { ErrorNote } from './ErrorNote';

interface Props {
  readonly title: string;
  readonly children: ReactNode;
  readonly verb: string;
  /** When given, this name must be typed first: for what cannot be undone. */
  readonly name?: string;
  readonly busy: boolean;
  readonly error: unknown;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** A question before harm: says what will be hit, and asks for the name where there is no way back. */
export function Confirm({ title, children, verb, name, busy, error, onConfirm, onClose }: Props) {
  const [typed, setTyped] = useState('');
  const ready = name === undefined || typed.trim() === name;
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': common.close }}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) onConfirm();
        }}
      >
        <div>{children}</div>
        {name !== undefined && (
          <TextInput
            label={common.typeToConfirm(name)}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            data-autofocus
          />
        )}
        <ErrorNote thrown={error} />
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={onClose}>
            {common.cancel}
          </Button>
          <Button type="submit" color="red.9" disabled={!ready} loading={busy}>
            {verb}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
