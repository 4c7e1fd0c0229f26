#!/usr/bin/env node
import { launch } from '../../../deploy/launch.mjs';

launch({ home: 'controller/compression', entry: 'dist/cli/main.js', uses: ['proto'] });
