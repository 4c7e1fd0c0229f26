import { Button } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import { useChange } from '../api/mutations';
import { common } from '../strings/common';
import { Confirm } from './Confirm';
import { doneToast } from './toasts';

interface Props {
  readonly label: string;
  /** Asked for before anything happens. */
  readonly name: string;
  /** What is deleted, below the API. */
  readonly path: string;
  /** The list it is in: what is read again, and the page to go to. */
  readonly list: string;
  readonly done: string;
  readonly children: ReactNode;
}

/** Deletes what cannot be brought back from here: says what it hits and asks for the name. */
export function DeleteButton({ label, name, path, list, done, children }: Props) {
  const [asked, setAsked] = useState(false);
  const [, go] = useLocation();
  const remove = useChange({
    touches: [list, 'fleet'],
    quiet: true,
    onDone: () => {
      doneToast(done);
      go(`/${list}`);
    },
  });
  return (
    <>
      <Button variant="default" onClick={() => setAsked(true)}>
        {label}
      </Button>
      {asked && (
        <Confirm
          title={label}
          verb={common.remove}
          name={name}
          busy={remove.isPending}
          error={remove.error}
          onClose={() => setAsked(false)}
          onConfirm={() => remove.mutate({ method: 'DELETE', path })}
        >
          {children}
        </Confirm>
      )}
    </>
  );
}
