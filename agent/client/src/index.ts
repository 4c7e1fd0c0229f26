/**
 * Typed client of an agent's serving endpoints, for applications on Node: over TCP or a Unix socket, with tensors as bytes
 * or in shared memory. `@espalier/client/grpc` speaks gRPC with the same tensors.
 */
import { placeParameters, SharedRegion, type SharedTensor } from './shared-memory.js';
import {
  bytesOf,
  datatypeOf,
  decode,
  type InferOptions,
  type ModelMetadata,
  parametersOf,
  type Tensor,
} from './tensors.js';
import { type Received, Transport } from './transport.js';

export { SharedRegion, type SharedTensor } from './shared-memory.js';
export * from './tensors.js';

export interface Classification {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

interface OutputHead {
  readonly name: string;
  readonly shape: number[];
  readonly datatype: string;
  readonly parameters?: { readonly binary_data_size?: number };
}

const isShared = (tensor: Tensor | SharedTensor): tensor is SharedTensor => 'region' in tensor;
const HEADER_LENGTH = 'inference-header-content-length';
const modelPath = (model: string): string => `/v2/models/${encodeURIComponent(model)}`;

export class InferenceClient {
  readonly #transport: Transport;

  /** @param endpoint address of the agent: http://127.0.0.1:4290, or unix:/run/espalier/agent.sock */
  constructor(endpoint: string) {
    this.#transport = new Transport(endpoint);
  }

  /** True while the agent serves a model. */
  async ready(): Promise<boolean> {
    return this.#transport.get('/v2/health/ready').then(
      () => true,
      (error: { status?: number }) => {
        if (error.status === undefined) throw error;
        return false;
      },
    );
  }

  /** @throws InferenceError ESP_MODEL_NOT_LOADED */
  async metadata(model: string): Promise<ModelMetadata> {
    return json(await this.#transport.get(modelPath(model)));
  }

  /**
   * One inference. Values travel as raw bytes both ways [OIP, binary tensor data extension], or lie in shared memory.
   * @param outputs places in shared memory for outputs; those come back in `SharedRegion.read` and not in the answer
   * @throws InferenceError
   */
  async infer(
    model: string,
    inputs: readonly (Tensor | SharedTensor)[],
    options: (InferOptions & { readonly outputs?: readonly SharedTensor[] }) | AbortSignal = {},
  ): Promise<Tensor[]> {
    const { outputs, signal, ...said } = options instanceof AbortSignal ? { signal: options } : options;
    const header = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true, ...parametersOf(said) },
        inputs: inputs.map((tensor) => ({
          ...{ name: tensor.name, shape: tensor.shape },
          datatype: isShared(tensor) ? tensor.datatype : datatypeOf(tensor),
          parameters: isShared(tensor) ? placeParameters(tensor) : { binary_data_size: tensor.data.byteLength },
        })),
        outputs: outputs?.map((tensor) => ({ name: tensor.name, parameters: placeParameters(tensor) })),
      }),
    );
    const values = inputs.flatMap((tensor) => (isShared(tensor) ? [] : bytesOf(tensor.data)));
    const headers = { [HEADER_LENGTH]: header.length };
    return readOutputs(
      await this.#transport.send('POST', `${modelPath(model)}/infer`, [header, ...values], headers, signal),
    );
  }

  /** The labels of a JPEG or PNG, most likely first. @throws InferenceError ESP_IMAGE_REFUSED */
  async classify(
    model: string,
    image: Uint8Array,
    options: InferOptions & { top?: number } = {},
  ): Promise<Classification[]> {
    const { top = 5, signal, ...said } = options;
    const query = new URLSearchParams({ top: String(top) });
    for (const [name, value] of Object.entries(parametersOf(said))) query.set(name, String(value));
    const headers = { 'content-type': image[0] === 0x89 ? 'image/png' : 'image/jpeg' };
    const received = await this.#transport.send('POST', `${modelPath(model)}/infer?${query}`, [image], headers, signal);
    return json<{ classes: Classification[] }>(received).classes;
  }

  /** Makes shared memory and registers it with the agent, which must run on this machine. Close it with `unshare`. */
  async share(name: string, byteSize: number): Promise<SharedRegion> {
    const region = new SharedRegion(name, byteSize);
    try {
      await this.#memory(name, 'register', { key: name, offset: 0, byte_size: byteSize });
      return region;
    } catch (error) {
      region.close();
      throw error;
    }
  }

  async unshare(region: SharedRegion): Promise<void> {
    region.close();
    await this.#memory(region.name, 'unregister', {});
  }

  /** Ends the connections that are kept. */
  close(): void {
    this.#transport.close();
  }

  async #memory(name: string, action: string, body: object): Promise<void> {
    const path = `/v2/systemsharedmemory/region/${encodeURIComponent(name)}/${action}`;
    await this.#transport.send('POST', path, [Buffer.from(JSON.stringify(body))], {});
  }
}

const json = <T>({ body }: Received): T => JSON.parse(body.toString('utf8')) as T;

function readOutputs({ headers, body }: Received): Tensor[] {
  const headerLength = Number(headers[HEADER_LENGTH] ?? body.length);
  const { outputs } = JSON.parse(body.subarray(0, headerLength).toString('utf8')) as { outputs: OutputHead[] };
  let at = headerLength;
  return outputs.flatMap(({ name, shape, datatype, parameters }) => {
    const size = parameters?.binary_data_size;
    if (size === undefined) return [];
    const data = decode(datatype, body.subarray(at, at + size));
    at += size;
    return [{ name, shape, datatype, data }];
  });
}
