/** Messages for the controller that survive a restart: one file each, gone only when the controller says it is stored. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { UpKind, UpMessage } from '@espalier/proto';
import { writeDurably } from '../common/files.js';
import { parseJson } from '../common/json.js';
import type { Log } from '../common/log.js';

const LIMIT = 5000;

export interface OutboxEntry {
  readonly id: string;
  readonly kind: UpKind;
  readonly text: string;
}

export class Outbox {
  /** In the order they were put in; the file name starts with a number that keeps it. */
  readonly #entries = new Map<string, OutboxEntry & { readonly file: string }>();
  #next = 0;
  /** Called for each new message. */
  onAdded: (entry: OutboxEntry) => void = () => undefined;

  constructor(
    private readonly folder: string,
    private readonly log: Log,
  ) {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .sort()) {
      this.#next = Number(name.split('-')[0]) + 1;
      const bytes = readFileSync(path.join(folder, name));
      const message = parseJson(bytes) as UpMessage | null;
      if (message)
        this.#entries.set(message.id, { id: message.id, kind: message.kind, text: bytes.toString('utf8'), file: name });
      else log.warn({ file: name }, 'a stored report is not readable');
    }
  }

  add(kind: UpKind, body: unknown): void {
    const id = randomUUID();
    const text = JSON.stringify({ version: 1, id, kind, body });
    const file = `${String(this.#next++).padStart(12, '0')}-${id}.json`;
    try {
      writeDurably(path.join(this.folder, file), text, 0o600);
    } catch (error) {
      // Better sent from memory, and lost only with a restart, than never.
      this.log.warn({ kind, error: (error as Error).message }, 'a report is kept in memory only');
    }
    this.#entries.set(id, { id, kind, text, file });
    this.#bound();
    this.onAdded({ id, kind, text });
  }

  /** Forgets what the controller has stored. */
  acknowledge(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (!entry) continue;
      rmSync(path.join(this.folder, entry.file), { force: true });
      this.#entries.delete(id);
    }
  }

  pending(): OutboxEntry[] {
    return [...this.#entries.values()];
  }

  get length(): number {
    return this.#entries.size;
  }

  /** A device that is offline for weeks keeps what was decided; of its measurements it gives up the oldest. */
  #bound(): void {
    if (this.#entries.size <= LIMIT) return;
    const oldest = [...this.#entries.values()].find(({ kind }) => kind === 'measurement');
    if (oldest) this.acknowledge([oldest.id]);
  }
}
