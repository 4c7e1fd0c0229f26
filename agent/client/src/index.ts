/** Typed client of the Open Inference Protocol v2 for applications beside an agent. */

/** A tensor of float32 values, row-major. */
export interface FloatTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly inputs: readonly { name: string; datatype: string; shape: number[] }[];
  readonly outputs: readonly { name: string; datatype: string; shape: number[] }[];
}

/** What the agent answered when it could not do what was asked; `code` is one of docs/errors.md. */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface BinaryOutput {
  readonly name: string;
  readonly shape: number[];
  readonly parameters: { readonly binary_data_size: number };
}

export class InferenceClient {
  /** @param endpoint address of the agent, such as http://127.0.0.1:4290 */
  constructor(private readonly endpoint: string) {}

  /** True while the agent serves a model. */
  async ready(): Promise<boolean> {
    return (await fetch(`${this.endpoint}/v2/health/ready`)).ok;
  }

  /** @throws InferenceError ESP_MODEL_NOT_LOADED */
  async metadata(model: string): Promise<ModelMetadata> {
    const response = await fetch(`${this.endpoint}/v2/models/${encodeURIComponent(model)}`);
    if (!response.ok) throw await failure(response);
    return (await response.json()) as ModelMetadata;
  }

  /** One inference. Values travel as raw bytes both ways [OIP, binary tensor data extension]. @throws InferenceError */
  async infer(model: string, inputs: readonly FloatTensor[], signal?: AbortSignal): Promise<FloatTensor[]> {
    const header = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true },
        inputs: inputs.map(({ name, shape, data }) => ({
          ...{ name, shape, datatype: 'FP32' },
          parameters: { binary_data_size: data.byteLength },
        })),
      }),
    );
    const values = inputs.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    const response = await fetch(`${this.endpoint}/v2/models/${encodeURIComponent(model)}/infer`, {
      method: 'POST',
      headers: { 'inference-header-content-length': String(header.length) },
      body: Buffer.concat([header, ...values]),
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) throw await failure(response);
    return readOutputs(response);
  }
}

async function readOutputs(response: Response): Promise<FloatTensor[]> {
  const body = Buffer.from(await response.arrayBuffer());
  const headerLength = Number(response.headers.get('inference-header-content-length') ?? body.length);
  const { outputs } = JSON.parse(body.subarray(0, headerLength).toString('utf8')) as { outputs: BinaryOutput[] };
  let at = headerLength;
  return outputs.map(({ name, shape, parameters }) => {
    const bytes = new Uint8Array(body.subarray(at, at + parameters.binary_data_size));
    at += parameters.binary_data_size;
    return { name, shape, data: new Float32Array(bytes.buffer) };
  });
}

async function failure(response: Response): Promise<InferenceError> {
  const { code, message, error } = (await response.json().catch(() => ({}))) as Record<string, string>;
  return new InferenceError(response.status, code ?? 'ESP_INTERNAL', message ?? error ?? response.statusText);
}
