/** Files of a network with early exits: a description, and the stages that it names, in one folder. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { StagedModel } from '@espalier/proto';
import { STAGES_FILE } from '../model-kind.js';

/** The file to open for what a user names: a model, or a folder with stages. */
export function modelFile(given: string): string {
  const inside = path.join(given, STAGES_FILE);
  return existsSync(inside) && statSync(given).isDirectory() ? inside : given;
}

/** The stages' files, in order. @throws when the description is none */
export const stageFiles = (file: string): string[] =>
  StagedModel.parse(JSON.parse(readFileSync(file, 'utf8'))).stages.map((stage) =>
    path.join(path.dirname(file), path.basename(stage.file)),
  );
