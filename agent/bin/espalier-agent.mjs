#!/usr/bin/env node
import { launch } from '../../deploy/launch.mjs';

// Without the trim threshold a released model's memory stays with the process [glibc mallopt(3)]; with an arena for every
// thread, what models leave behind lies scattered over all of them: 15 MB at rest, 30 more after many swaps. V8's young generation is kept
// small for the same reason: what a request leaves behind is collected just as fast, and 10 MB less stays resident.
launch({
  home: 'agent',
  entry: 'dist/main.js',
  uses: ['proto'],
  env: { MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '2' },
  flags: ['--max-semi-space-size=2'],
});
