import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { errorOf } from '../api/failure';
import { common } from '../strings/common';

/** How long a reversible act can be taken back from its toast. */
const UNDO_MS = 10_000;

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

export function doneToast(text: string): void {
  notifications.show({ message: text, closeButtonProps: { 'aria-label': common.dismiss } });
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
