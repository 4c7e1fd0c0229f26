/** When a process has had its time. */
import { spawn } from 'node:child_process';
import { cpuMsOf, overtime, TimeKeeper } from '@espalier/compression/runtime/overtime';
import t from 'tap';

const LIMIT_MS = 8000;

for (const [what, now, before, isOver] of [
  ['within its time', { wallMs: 7999, cpuMs: 7000 }, null, false],
  ['the processor was its own all the time', { wallMs: 8200, cpuMs: 8100 }, null, true],
  ['others hold the processor', { wallMs: 9500, cpuMs: 3300 }, { wallMs: 8400, cpuMs: 3000 }, false],
  ['it sleeps', { wallMs: 9500, cpuMs: 310 }, { wallMs: 8400, cpuMs: 300 }, true],
  ['it was waited for long enough', { wallMs: 33_000, cpuMs: 7000 }, { wallMs: 31_900, cpuMs: 6700 }, true],
  ['a system that does not say', { wallMs: 8001, cpuMs: null }, null, true],
] as const) {
  t.test(what, (t) => {
    t.equal(overtime(now, before, LIMIT_MS) !== null, isOver);
    t.end();
  });
}

t.test('a process that hangs without work is ended soon after its limit, one that spins at it', async (t) => {
  for (const [code, mostMs] of [
    ['setInterval(() => {}, 1000)', 8000],
    ['for (;;);', 8000],
  ] as const) {
    const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
    const started = performance.now();
    const keeper = new TimeKeeper(child.pid, 1000);
    let why: string | null = null;
    while (why === null && performance.now() - started < mostMs) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      why = await keeper.check();
    }
    t.match(why, /not done after 1 s/);
    if (process.platform === 'linux') t.ok((await cpuMsOf(child.pid))! > 0);
    child.kill('SIGKILL');
  }
});
