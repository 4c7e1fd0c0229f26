#!/usr/bin/env node
import { launch } from '../../../deploy/launch.mjs';

launch({ home: 'controller/server', entry: 'dist/main.js', uses: ['proto', 'controller/compression'] });
