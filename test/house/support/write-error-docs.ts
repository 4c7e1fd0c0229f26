/** Writes docs/errors.md from the source: `node test/house/support/write-error-docs.ts`. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { declaredErrors, root } from './error-codes.ts';

const rows = declaredErrors().map(
  ({ code, room, message, action }) => `| \`${code}\` | ${room} | ${message} | ${action} |`,
);
const text = `# Error codes
Every error that a person or a program can meet has a code that does not change, says what was wrong and with what, and
what to do. On the command line it is the first word of the message; in HTTP bodies, job failures and device reports it is
the field \`code\`. "…" stands for what is filled in. This page is made from the source, and a test compares them.

| code | from | what it says | what to do |
|---|---|---|---|
${rows.join('\n')}
`;
writeFileSync(path.join(root, 'docs', 'errors.md'), text);
