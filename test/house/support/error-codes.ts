/** Reads the coded errors out of the source: the code, and the message and action that follow it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '..', '..', '..');

export interface DeclaredError {
  readonly code: string;
  readonly room: string;
  readonly message: string;
  readonly action: string;
}

const ROOMS: readonly [string, string][] = [
  ['agent/', 'agent'],
  ['controller/compression/', 'compression'],
  ['controller/server/', 'controller'],
  ['deploy/', 'start and packages'],
  ['proto/', 'everywhere'],
];

const isSource = (file: string): boolean =>
  (/(^|\/)src\//.test(file) || file.startsWith('deploy/')) && !/\/gen\/|\/ui\/|\/test\//.test(file);

/** The first two string literals of some length after a place in the text, with what is filled in left as "…". */
function sentences(source: string, from: number): string[] {
  const found = [...source.slice(from, from + 900).matchAll(/`([^`]*)`|'((?:[^'\\]|\\.){9,})'|"([^"]{9,})"/g)];
  return found
    .map((match) => match.slice(1).find((text) => text !== undefined) ?? '')
    .filter((text) => text.length > 8 && !text.startsWith('ESP_'))
    .map((text) =>
      text
        .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
        .replaceAll('|', '\\|')
        .replaceAll('\\`', '`'),
    )
    .slice(0, 2);
}

/** Every code of the source, once, in alphabetical order. */
export function declaredErrors(): DeclaredError[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs'];
  const files = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\n').filter(isSource);
  const errors = new Map<string, DeclaredError>();
  for (const file of files.filter((name) => existsSync(path.join(root, name)))) {
    const source = readFileSync(path.join(root, file), 'utf8');
    for (const match of source.matchAll(/['"](ESP_[A-Z0-9_]+)['"]/g)) {
      const [message = '', action = ''] = sentences(source, match.index + match[0].length);
      const room = ROOMS.find(([folder]) => file.startsWith(folder))?.[1] ?? file;
      const known = errors.get(match[1]!);
      if (!known || (!known.action && action)) errors.set(match[1]!, { code: match[1]!, room, message, action });
    }
  }
  return [...errors.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
}
