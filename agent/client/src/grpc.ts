/** The same tensors over gRPC: one call, or many on one stream. */
import { GRPCInferenceServiceClient, ModelInferRequest, type ModelInferResponse } from '@espalier/proto/inference';
import { type CallOptions, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  bytesOf,
  datatypeOf,
  decode,
  InferenceError,
  type InferOptions,
  parametersOf,
  type Tensor,
} from './tensors.js';

const HTTP: Readonly<Record<number, number>> = {
  ...{ [status.INVALID_ARGUMENT]: 400, [status.NOT_FOUND]: 404, [status.RESOURCE_EXHAUSTED]: 429 },
  ...{ [status.UNAVAILABLE]: 503, [status.DEADLINE_EXCEEDED]: 504 },
};

function failure({ code, details, metadata }: ServiceError): InferenceError {
  const coded = metadata?.get('espalier-code')[0];
  const wait = metadata?.get('grpc-retry-pushback-ms')[0];
  return new InferenceError(
    HTTP[code] ?? 500,
    String(coded ?? 'ESP_INTERNAL'),
    details,
    wait === undefined ? null : Number(wait),
  );
}

export class GrpcInferenceClient {
  readonly #client: GRPCInferenceServiceClient;

  /** @param address HOST:PORT, or unix:FILE */
  constructor(address: string) {
    const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
    this.#client = new GRPCInferenceServiceClient(address, credentials.createInsecure(), unlimited);
  }

  /** One inference. @throws InferenceError */
  infer(model: string, inputs: readonly Tensor[], { signal, ...said }: InferOptions = {}): Promise<Tensor[]> {
    const parameters = Object.entries(parametersOf(said)).map(
      ([name, value]) => [name, { parameterChoice: { $case: 'int64Param', value: BigInt(value) } }] as const,
    );
    const request = ModelInferRequest.fromPartial({
      modelName: model,
      parameters: Object.fromEntries(parameters),
      inputs: inputs.map((tensor) => ({
        ...{ name: tensor.name, datatype: datatypeOf(tensor), shape: tensor.shape.map(BigInt) },
      })),
    });
    // Not through fromPartial: it would copy the values.
    request.rawInputContents = inputs.map(({ data }) => bytesOf(data));
    const options: CallOptions = said.timeoutMs === undefined ? {} : { deadline: Date.now() + said.timeoutMs };
    return new Promise((resolve, reject) => {
      const call = this.#client.modelInfer(request, new Metadata(), options, (error, response) => {
        if (error) reject(failure(error));
        else resolve(outputsOf(response));
      });
      signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }

  close(): void {
    this.#client.close();
  }
}

const outputsOf = ({ outputs, rawOutputContents }: ModelInferResponse): Tensor[] =>
  outputs.map(({ name, datatype, shape }, at) => ({
    ...{ name, datatype, shape: shape.map(Number) },
    data: decode(datatype, rawOutputContents[at]!),
  }));
