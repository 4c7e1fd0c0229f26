#!/usr/bin/env node
import { launch } from '../../deploy/launch.mjs';

// Without the trim threshold a released model's memory stays with the process [glibc mallopt(3)].
launch({ home: 'agent', entry: 'dist/main.js', uses: ['proto'], env: { MALLOC_TRIM_THRESHOLD_: '131072' } });
