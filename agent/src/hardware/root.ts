/** Files below a root that a test can fake. A missing or unreadable file is "unknown": null, never an error. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export class FactRoot {
  /** Fact path to the file it was read from. */
  readonly sources: Record<string, string> = {};

  constructor(readonly root: string) {}

  /** The text of a file, trimmed; `fact` remembers where it came from. */
  read(file: string, fact?: string): string | null {
    try {
      const text = readFileSync(path.join(this.root, file), 'utf8');
      if (fact) this.sources[fact] = file;
      return text.trim();
    } catch {
      return null;
    }
  }

  /** A device-tree property: strings that end in NUL. */
  strings(file: string, fact?: string): string[] {
    return (this.read(file, fact) ?? '')
      .split('\0')
      .map((text) => text.trim())
      .filter(Boolean);
  }

  number(file: string, fact?: string): number | null {
    const text = this.read(file, fact);
    const value = text === null || text === '' ? Number.NaN : Number(text);
    return Number.isFinite(value) ? value : null;
  }

  list(folder: string): string[] {
    try {
      return readdirSync(path.join(this.root, folder)).sort();
    } catch {
      return [];
    }
  }

  has(file: string): boolean {
    return existsSync(path.join(this.root, file));
  }
}
