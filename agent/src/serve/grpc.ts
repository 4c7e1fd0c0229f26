/** The Open Inference Protocol over gRPC, on TCP and on a Unix socket. */
import { CodedError } from '@espalier/proto';
import {
  dataTypeFromJSON,
  type GRPCInferenceServiceServer,
  GRPCInferenceServiceService,
  type ModelInferRequest,
  type ModelInferResponse,
} from '@espalier/proto/inference';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { PortTaken } from '../errors.js';
import { modelConfig, modelMetadata, modelStatistics, serverMetadata } from './describe.js';
import { inputsOf, parametersOf, responseOf, statisticsOf } from './grpc-messages.js';
import type { HttpParts } from './http.js';
import { readParameters } from './request-parameters.js';
import { freeSocket } from './unix-socket.js';

const CODES: Readonly<Record<number, status>> = {
  ...{ 400: status.INVALID_ARGUMENT, 404: status.NOT_FOUND, 413: status.RESOURCE_EXHAUSTED },
  ...{ 415: status.INVALID_ARGUMENT, 429: status.RESOURCE_EXHAUSTED, 503: status.UNAVAILABLE },
  504: status.DEADLINE_EXCEEDED,
};

/** A coded error as a gRPC status; a refusal says when to come again [gRFC A6, server pushback]. */
function statusOf(error: unknown): Partial<ServiceError> {
  const metadata = new Metadata();
  if (!(error instanceof CodedError)) return { code: status.INTERNAL, details: (error as Error).message, metadata };
  metadata.set('espalier-code', error.code);
  const { retryAfterMs } = error.details;
  if (retryAfterMs !== undefined) metadata.set('grpc-retry-pushback-ms', String(retryAfterMs));
  return { code: CODES[error.status] ?? status.INTERNAL, details: error.message, metadata };
}

/** A call that is answered by what a function gives or throws. */
const unary =
  <Q, A>(answer: (request: Q, call: ServerUnaryCall<Q, A>) => A | Promise<A>) =>
  (call: ServerUnaryCall<Q, A>, callback: sendUnaryData<A>): void => {
    Promise.resolve()
      .then(() => answer(call.request, call))
      .then(
        (value) => callback(null, value),
        (error: unknown) => callback(statusOf(error)),
      );
  };

async function infer(
  parts: HttpParts,
  request: ModelInferRequest,
  deadline: Date | number,
): Promise<ModelInferResponse> {
  const { serving, memory, now } = parts;
  const arrivedMs = now();
  const served = serving.model(request.modelName, request.modelVersion);
  const feeds = inputsOf(request, served.pool.inputs, memory);
  const leftMs = Number(deadline) - Date.now();
  const result = await serving.infer(served, feeds, {
    ...(Number.isFinite(leftMs) ? { deadlineMs: arrivedMs + leftMs } : {}),
    ...readParameters(parametersOf(request.parameters), arrivedMs),
  });
  try {
    return responseOf(served, request, copied(result.outputs), memory);
  } finally {
    result.release();
  }
}

/** grpc-js serializes after the handler has returned: what lies in a slab is copied before that is released. */
const copied = (outputs: Awaited<ReturnType<HttpParts['serving']['infer']>>['outputs']): typeof outputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, one]) => [name, { ...one, bytes: new Uint8Array(one.bytes) }]),
  );

const stream =
  (parts: HttpParts): GRPCInferenceServiceServer['modelStreamInfer'] =>
  (call) => {
    let open = 0;
    let ended = false;
    const finish = (): void => void (ended && open === 0 && call.end());
    call.on('data', (request: ModelInferRequest) => {
      open++;
      infer(parts, request, call.getDeadline())
        .then(
          (inferResponse) => call.write({ errorMessage: '', inferResponse }),
          (error: Error) => {
            const none = { modelName: request.modelName, modelVersion: request.modelVersion, id: request.id };
            const inferResponse = { ...none, parameters: {}, outputs: [], rawOutputContents: [] };
            return call.write({ errorMessage: error.message, inferResponse });
          },
        )
        .then((isRoom) => {
          // A reader that does not keep up is not sent for: nothing more is taken from it until it has read.
          if (isRoom) return;
          call.pause();
          call.once('drain', () => call.resume());
        })
        .finally(() => {
          open--;
          finish();
        });
    });
    call.on('end', () => {
      ended = true;
      finish();
    });
  };

function handlers(parts: HttpParts): GRPCInferenceServiceServer {
  const { serving, memory } = parts;
  return {
    serverLive: unary(() => ({ live: true })),
    serverReady: unary(() => ({ ready: serving.healthy })),
    modelReady: unary(({ name, version }) => ({ ready: serving.model(name, version).pool.alive })),
    serverMetadata: unary(() => serverMetadata(serving)),
    modelMetadata: unary(({ name, version }) => {
      const found = modelMetadata(serving.model(name, version));
      const tensor = (one: (typeof found.inputs)[number]) => ({ ...one, shape: one.shape.map(BigInt) });
      return { ...found, inputs: found.inputs.map(tensor), outputs: found.outputs.map(tensor) };
    }),
    modelInfer: unary((request, call) => infer(parts, request, call.getDeadline())),
    modelStreamInfer: stream(parts),
    modelConfig: unary(({ name, version }) => {
      const found = modelConfig(serving.model(name, version));
      const tensor = (one: (typeof found.input)[number]) => ({
        ...{ name: one.name, dataType: dataTypeFromJSON(one.data_type), dims: one.dims.map(BigInt) },
      });
      const base = { name: found.name, platform: found.platform, maxBatchSize: found.max_batch_size };
      return { config: { ...base, input: found.input.map(tensor), output: found.output.map(tensor) } };
    }),
    modelStatistics: unary(({ name, version }) => {
      const list = name ? [serving.model(name, version)] : serving.served ? [serving.served] : [];
      return { modelStats: list.map((served) => statisticsOf(modelStatistics(served))) };
    }),
    systemSharedMemoryStatus: unary(({ name }) => {
      const regions = memory.status(name || undefined).map(({ name, key, offset, byteSize }) => {
        return [name, { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) }] as const;
      });
      return { regions: Object.fromEntries(regions) };
    }),
    systemSharedMemoryRegister: unary(({ name, key, offset, byteSize }) => {
      memory.register({ name, key, offset: Number(offset), byteSize: Number(byteSize) });
      return {};
    }),
    systemSharedMemoryUnregister: unary(({ name }) => {
      memory.unregister(name || undefined);
      return {};
    }),
  };
}

const bind = (server: Server, address: string, where: string): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(PortTaken({ where }, { cause: error })) : resolve(port),
    ),
  );

/**
 * Starts the service on a port, and on a Unix socket if one is named; resolves with the server and the port.
 * @throws ESP_PORT_TAKEN
 */
export async function listenGrpc(
  parts: HttpParts,
  { host, port, socket }: { readonly host: string; readonly port: number; readonly socket: string | undefined },
): Promise<{ server: Server; port: number }> {
  const server = new Server({
    'grpc.max_receive_message_length': parts.maxBodyBytes,
    'grpc.max_send_message_length': -1,
  });
  server.addService(GRPCInferenceServiceService, handlers(parts));
  const bound = await bind(server, `${host.includes(':') ? `[${host}]` : host}:${port}`, `Port ${port} on ${host}`);
  if (socket) {
    await freeSocket(socket);
    await bind(server, `unix:${socket}`, socket);
  }
  return { server, port: bound };
}
