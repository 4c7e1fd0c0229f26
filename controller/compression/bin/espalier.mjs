#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { launch } from '../../../deploy/launch.mjs';

// src/runtime/malloc.ts says why; it may not be built yet.
const env = JSON.parse(readFileSync(new URL('../malloc.json', import.meta.url), 'utf8'));
launch({ home: 'controller/compression', entry: 'dist/cli/main.js', uses: ['proto'], env });
