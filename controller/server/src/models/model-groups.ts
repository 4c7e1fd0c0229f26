import { CodedError } from '@espalier/proto';
import type { PruningGroups } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { ModelNotTraced } from '../common/errors.js';
import { runWorker } from '../jobs/worker-process.js';
import { ModelService } from './model.service.js';

const LIMIT_MS = 120_000;
/** Files whose groups are remembered; a file never changes. */
const KEPT = 100;

/** Which channels of a model can be removed together. Runs the model, so in a process of its own. */
@Injectable()
export class ModelGroups {
  readonly #known = new Map<string, Promise<PruningGroups>>();

  constructor(
    private readonly models: ModelService,
    private readonly store: ArtifactStore,
  ) {}

  /** @throws ESP_NOT_FOUND, ESP_MODEL_NOT_TRACED, and what is wrong with the model */
  async of(id: string): Promise<PruningGroups> {
    const { name, fileSha256 } = await this.models.get(id);
    const asked = this.#known.get(fileSha256) ?? this.#ask(name, fileSha256);
    this.#known.delete(fileSha256);
    this.#known.set(fileSha256, asked);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest) this.#known.delete(oldest);
    asked.catch(() => this.#known.delete(fileSha256));
    return asked;
  }

  async #ask(model: string, sha256: string): Promise<PruningGroups> {
    const end = await runWorker<'list-groups'>({
      work: { kind: 'list-groups', task: { file: this.store.pathOf(sha256) } },
      onProgress: () => undefined,
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    if (end.kind === 'done') return end.result;
    if (end.kind === 'failed') {
      const { code, message, action, details } = end.error;
      throw new CodedError(code, 422, message, action, details);
    }
    throw ModelNotTraced({ model, why: end.kind === 'lost' ? end.reason : `it took longer than ${LIMIT_MS / 1000} s` });
  }
}
