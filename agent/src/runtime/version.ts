import { createRequire } from 'node:module';

/** Version of the ONNX Runtime that serves here, from its package. */
export function onnxRuntimeVersion(): string {
  return (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version;
}
