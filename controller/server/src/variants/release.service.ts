import type { Manifest } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { ManifestSigner } from '../artifacts/signer.js';
import { Clock } from '../common/clock.js';
import { VariantNotReady } from '../common/errors.js';
import { newId } from '../common/ids.js';
import type { ModelEntity } from '../models/model.entity.js';
import { ReleaseEntity, type VariantEntity } from './variant.entity.js';
import { VariantRepository } from './variant.repository.js';

const DAY_MS = 86_400_000;
/** A device refuses an expired manifest, so that nobody can hold it on an old release (freeze attack). */
const VALID_MS = 90 * DAY_MS;
/** A release that is offered must live long enough for an offline device to come back. */
const FRESH_MS = 30 * DAY_MS;

/**
 * Signs manifests. Each release of a model name for a profile has a higher counter than all before it, and a device
 * takes no lower one; so going back to an older variant on purpose needs a fresh manifest for the same files.
 */
@Injectable()
export class ReleaseService {
  constructor(
    private readonly variants: VariantRepository,
    private readonly store: ArtifactStore,
    private readonly signer: ManifestSigner,
    private readonly clock: Clock,
  ) {}

  /** The release to offer now: the variant's own if it is the newest of its kind and fresh, else a new one. */
  async current(model: ModelEntity, variant: VariantEntity): Promise<ReleaseEntity> {
    for (;;) {
      const latest = await this.variants.latestRelease(variant.id);
      const highest = await this.variants.highestCounter(model.name, variant.profile);
      const leftMs = latest ? latest.expiresAt.getTime() - this.clock.now().getTime() : 0;
      if (latest && latest.counter === highest && leftMs > FRESH_MS && latest.keyid === this.signer.keyid)
        return latest;
      const release = await this.#sign(model, variant, highest + 1);
      if (await this.variants.insertRelease(release)) return release;
    }
  }

  async #sign(model: ModelEntity, variant: VariantEntity, counter: number): Promise<ReleaseEntity> {
    const createdAt = this.clock.now();
    const expiresAt = new Date(createdAt.getTime() + VALID_MS);
    const signed = this.signer.sign(manifestOf(model, variant, counter, createdAt, expiresAt));
    const blob = await this.store.putBytes(Buffer.from(JSON.stringify(signed)));
    return {
      id: newId('rel'),
      variantId: variant.id,
      modelName: model.name,
      profile: variant.profile,
      counter,
      manifestSha256: blob.sha256,
      manifestBytes: blob.bytes,
      keyid: this.signer.keyid,
      createdAt,
      expiresAt,
    };
  }
}

/** The manifest of a ready variant. Throws ESP_VARIANT_NOT_READY for any other. */
export function manifestOf(
  model: Pick<ModelEntity, 'name' | 'version' | 'preprocess' | 'labels'>,
  variant: VariantEntity,
  releaseCounter: number,
  createdAt: Date,
  expiresAt: Date,
): Manifest {
  const { parts, report, digest } = variant;
  if (!parts || !report || !digest) throw VariantNotReady({ id: variant.id, state: variant.state });
  return {
    version: 1,
    digest,
    files: variant.files,
    model: { name: model.name, version: model.version },
    profile: variant.profile,
    releaseCounter,
    format: 'onnx',
    runtime: { adapter: 'onnxruntime', minVersion: report.runtime.version, sessionOptions: parts.sessionOptions },
    entry: parts.entry,
    // Agents of before refuse what they cannot verify: a manifest says no more than it must.
    ...(parts.alternatives?.length ? { alternatives: parts.alternatives } : {}),
    inputs: parts.inputs,
    outputs: parts.outputs,
    preprocess: model.preprocess,
    labels: model.labels,
    golden: parts.golden,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}
