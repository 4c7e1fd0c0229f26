import type { HardwareProfile } from '../hardware/profile.js';
import { constantsToInitializers } from './constants.js';
import { cropAveragePool } from './crop-average-pool.js';
import { dropIdentity } from './drop-identity.js';
import { foldBatchNorm } from './fold-batch-norm.js';
import { foldPad } from './fold-pad.js';
import { normalizeGemm } from './normalize-gemm.js';
import { padInputChannels } from './pad-input-channels.js';
import type { Pass } from './pass.js';
import { raiseOpset } from './raise-opset.js';
import { recognizeGelu } from './recognize-gelu.js';
import { recognizeHardSwish } from './recognize-hard-swish.js';
import { recognizeLayerNorm } from './recognize-layer-norm.js';
import { recognizeSilu } from './recognize-silu.js';
import { removeDead } from './remove-dead.js';
import { shortcutToConv } from './shortcut-to-conv.js';

export { no, type Pass, type PassRecord, runPasses, yes } from './pass.js';

/** What every recipe that quantizes starts with: exact rewrites of the float model, in this order. */
export const preparation: readonly Pass[] = [
  constantsToInitializers,
  dropIdentity,
  raiseOpset,
  normalizeGemm,
  foldBatchNorm,
  shortcutToConv,
  removeDead,
];

/** Exact rewrites of the float model that a profile asks for by name. */
const REWRITES: Readonly<Record<HardwareProfile['rewrites'][number], Pass>> = {
  'crop-average-pool': cropAveragePool,
  'fold-pad': foldPad,
  'recognize-hard-swish': recognizeHardSwish,
  'recognize-silu': recognizeSilu,
  'recognize-gelu': recognizeGelu,
  'recognize-layer-norm': recognizeLayerNorm,
};

export const rewriting = ({ rewrites }: HardwareProfile): Pass[] =>
  rewrites.length > 0 ? [...rewrites.map((name) => REWRITES[name]), removeDead] : [];

/** Exact rewrites of the quantized graph, for what the profile's kernels like. */
export const finishing = ({ alignment }: HardwareProfile): Pass[] =>
  alignment.padInput ? [padInputChannels(alignment.padInput)] : [];
