import type { JobView } from '@espalier/proto/api';
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { Link } from 'wouter';
import { errorOf } from '../api/failure';
import { common, states } from '../strings/common';

/** How long a reversible act can be taken back from its toast. */
const UNDO_MS = 10_000;

/** A failure that no form shows; stays as long as an undo would, since it asks for reading. */
export function errorToast(thrown: unknown): void {
  const { code, message, action } = errorOf(thrown);
  notifications.show({
    color: 'red',
    title: message,
    message: `${action} (${code})`,
    autoClose: UNDO_MS,
    closeButtonProps: { 'aria-label': common.dismiss },
  });
}

/** Tells that something was done which needs no taking back. */
export function doneToast(text: string): void {
  notifications.show({ message: text, closeButtonProps: { 'aria-label': common.dismiss } });
}

/** A build that ended: what became of it, and the way to it. */
export function jobToast({ id, title, state }: Pick<JobView, 'id' | 'title' | 'state'>): void {
  notifications.show({
    color: state === 'FAILED' ? 'red' : undefined,
    closeButtonProps: { 'aria-label': common.dismiss },
    message: (
      <Link href={`/jobs/${id}`}>
        {title}: {states[state]}
      </Link>
    ),
  });
}

/** Tells what was done, and for ten seconds takes it back on a click. */
export function undoToast(text: string, undo: () => void): void {
  const id = notifications.show({
    autoClose: UNDO_MS,
    closeButtonProps: { 'aria-label': common.dismiss },
    message: (
      <span className="spread">
        {text}
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => {
            notifications.hide(id);
            undo();
          }}
        >
          {common.undo}
        </Button>
      </span>
    ),
  });
}
