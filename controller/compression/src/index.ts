export { type DatasetDescription, describeDataset } from './data/dataset.js';
export { findPreprocess, readPreprocess } from './data/preprocess.js';
export { loadProfiles, profileById } from './hardware/load.js';
export { readLocalFacts } from './hardware/local-facts.js';
export { type MatchFacts, matchProfile, type ProfileMatch } from './hardware/match.js';
export { HardwareProfile } from './hardware/profile.js';
export { inspectModel, type ModelInfo } from './inspect.js';
export { buildVariant } from './recipe/build.js';
export type { BuildOptions, BuiltVariant, Progress } from './recipe/options.js';
