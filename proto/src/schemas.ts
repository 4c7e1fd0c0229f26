import { z } from 'zod';
import { DesiredState } from './desired.js';
import { Facts } from './facts.js';
import { GoldenFile, SignedManifest } from './manifest.js';
import { Preprocess } from './preprocess.js';
import { Report } from './report.js';
import { StagedModel } from './stages.js';
import { AckMessage, UpMessage } from './up.js';

/** Every JSON document that crosses a boundary, by the name of its schema file in proto/schema. */
export const documents = {
  ack: AckMessage,
  'desired-state': DesiredState,
  facts: Facts,
  golden: GoldenFile,
  manifest: SignedManifest,
  preprocess: Preprocess,
  report: Report,
  stages: StagedModel,
  up: UpMessage,
} as const;

/** The documents as JSON Schema, draft 2020-12, as a reader outside this project needs them. */
export const jsonSchemas = (): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(documents).map(([name, schema]) => [name, z.toJSONSchema(schema, { io: 'input' })]),
  );
