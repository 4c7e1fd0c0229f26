/** The arrows of ARCHITECTURE.md hold: for each wall a wrong import is planted, and the tool must name it. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

const root = path.join(import.meta.dirname, '..', '..');

/** What the linter says about one file of this text, planted at this place. */
function lint(place: string, source: string): string {
  const file = path.join(root, place);
  writeFileSync(file, source);
  try {
    const { stdout, stderr } = spawnSync('biome', ['lint', '--diagnostic-level=error', '--vcs-enabled=false', place], {
      cwd: root,
      encoding: 'utf8',
    });
    return stdout + stderr;
  } finally {
    rmSync(file, { force: true });
  }
}

for (const [wall, place, imported, named] of [
  ['agent knows no server', 'agent/src/planted-a.ts', '@espalier/server/main', /agent imports proto only/],
  ['agent knows no compression', 'agent/src/planted-b.ts', '@espalier/compression', /agent imports proto only/],
  [
    'compression knows no framework',
    'controller/compression/src/planted-c.ts',
    '@nestjs/common',
    /compression is framework-free/,
  ],
  [
    'compression knows no server',
    'controller/compression/src/planted-d.ts',
    '@espalier/server/main',
    /compression is framework-free/,
  ],
  [
    'the web app knows the public API only',
    'controller/ui/src/planted-e.ts',
    '@espalier/server/main',
    /the UI knows the public API only/,
  ],
  ['proto imports nothing of ours', 'proto/src/planted-f.ts', '@espalier/agent/main', /proto imports nothing of ours/],
  [
    'common imports no feature',
    'controller/server/src/common/planted-g.ts',
    '../devices/device.service.js',
    /common imports no feature/,
  ],
  ['a package declares what it uses', 'agent/src/planted-h.ts', 'typeorm', /Dependency typeorm isn't specified/],
] as const) {
  t.test(`${wall}: a planted import fails by name`, async (t) => {
    t.match(lint(place, `import * as planted from '${imported}';\nexport const used = planted;\n`), named);
  });
}
