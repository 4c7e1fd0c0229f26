import { Button, Progress } from '@mantine/core';
import { type ReactNode, useRef, useState } from 'react';
import { common } from '../strings/common';
import { formatShare } from './format';
import { Icon } from './Icon';
import { icons } from './icons';

interface Props {
  readonly label: string;
  readonly accept: string;
  /** 0..1 while a file is being sent, else null. */
  readonly sending: number | null;
  /** One file or several that belong together; never none. */
  readonly onFiles: (files: File[]) => void;
  readonly children?: ReactNode;
}

/** A place to drop files on, and the same by a button for keyboards and phones. */
export function DropZone({ label, accept, sending, onFiles, children }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (list: FileList | null) => {
    if (list && list.length > 0) onFiles([...list]);
  };
  return (
    <section
      className="drop"
      aria-label={label}
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      }}
    >
      <Icon path={icons.upload} size={24} />
      <strong>{label}</strong>
      {sending === null ? (
        <span className="row">
          <Button size="compact-sm" variant="default" onClick={() => input.current?.click()}>
            {common.chooseFile}
          </Button>
          <span className="muted">{common.orDrop}</span>
        </span>
      ) : (
        <span role="status" style={{ inlineSize: 220 }}>
          {common.sending(formatShare(sending))}
          <Progress value={sending * 100} aria-label={label} />
        </span>
      )}
      {children}
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={label}
        accept={accept}
        onChange={(event) => {
          take(event.currentTarget.files);
          event.currentTarget.value = '';
        }}
      />
    </section>
  );
}
