/** The Open Inference Protocol over gRPC, on TCP and on a Unix socket. */
import { CodedError } from '@espalier/proto';
import {
  dataTypeFromJSON,
  GRPCInferenceServiceService,
  type ModelInferRequest,
  type ModelInferResponse,
  type ModelStreamInferResponse,
} from '@espalier/proto/inference';
import { modelConfig, modelMetadata, modelStatistics, serverMetadata } from './describe.js';
import type { Call, Handler, Method, Refusal } from './grpc-call.js';
import { GrpcStatus } from './grpc-framing.js';
import { inputsOf, parametersOf, responseOf, statisticsOf } from './grpc-messages.js';
import { GrpcServer } from './grpc-server.js';
import type { HttpParts } from './http.js';
import { readParameters } from './request-parameters.js';
import { freeSocket } from './unix-socket.js';

const CODES: Readonly<Record<number, number>> = {
  ...{ 400: GrpcStatus.INVALID_ARGUMENT, 404: GrpcStatus.NOT_FOUND, 413: GrpcStatus.RESOURCE_EXHAUSTED },
  ...{ 415: GrpcStatus.INVALID_ARGUMENT, 429: GrpcStatus.RESOURCE_EXHAUSTED, 503: GrpcStatus.UNAVAILABLE },
  504: GrpcStatus.DEADLINE_EXCEEDED,
};

/** A coded error as a gRPC status; a refusal says when to come again [gRFC A6, server pushback]. */
function refusalOf(error: unknown): Refusal {
  const { message } = error as Error;
  if (!(error instanceof CodedError)) return { code: GrpcStatus.INTERNAL, message };
  const { retryAfterMs } = error.details;
  const metadata: Record<string, string> = { 'espalier-code': error.code };
  if (retryAfterMs !== undefined) metadata['grpc-retry-pushback-ms'] = String(retryAfterMs);
  return { code: CODES[error.status] ?? GrpcStatus.INTERNAL, message, metadata };
}

/** A call that is answered by what a function gives or throws. */
const unary =
  <Q, A>(answer: (request: Q) => A): Handler<Q, A> =>
  (request, call) =>
    call.send(answer(request));

async function infer(
  parts: HttpParts,
  request: ModelInferRequest,
  deadlineMs: number | null,
  send: (answer: ModelInferResponse) => void,
): Promise<void> {
  const { serving, memory, now } = parts;
  const arrivedMs = now();
  const served = serving.model(request.modelName, request.modelVersion);
  const feeds = inputsOf(request, served.pool.inputs, memory);
  const result = await serving.infer(served, feeds, {
    ...(deadlineMs === null ? {} : { deadlineMs }),
    ...readParameters(parametersOf(request.parameters), arrivedMs),
  });
  try {
    send(responseOf(served, request, result.outputs, memory));
  } finally {
    result.release();
  }
}

/** A request of a stream that fails is answered in its place, and the stream goes on. */
async function inferInStream(
  parts: HttpParts,
  request: ModelInferRequest,
  call: Call<ModelStreamInferResponse>,
): Promise<void> {
  const send = (inferResponse: ModelInferResponse): void => call.send({ errorMessage: '', inferResponse });
  await infer(parts, request, call.deadlineMs, send).catch((error: Error) => {
    const none = { modelName: request.modelName, modelVersion: request.modelVersion, id: request.id };
    const inferResponse = { ...none, parameters: {}, outputs: [], rawOutputContents: [] };
    call.send({ errorMessage: error.message, inferResponse });
  });
}

type Service = typeof GRPCInferenceServiceService;
type Handlers = {
  readonly [K in keyof Service]: Service[K] extends Method<infer Q, infer A> ? Handler<Q, A> : never;
};

function handlers(parts: HttpParts): Handlers {
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
    modelInfer: (request, call) => infer(parts, request, call.deadlineMs, (answer) => call.send(answer)),
    modelStreamInfer: (request, call) => inferInStream(parts, request, call),
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

/**
 * Starts the service on a port, and on a Unix socket if one is named; resolves with the server and the port.
 * @throws ESP_PORT_TAKEN
 */
export async function listenGrpc(
  parts: HttpParts,
  { host, port, socket }: { readonly host: string; readonly port: number; readonly socket: string | undefined },
): Promise<{ server: GrpcServer; port: number }> {
  const server = new GrpcServer({ maxMessageBytes: parts.maxBodyBytes, refusalOf, now: parts.now });
  const answers = handlers(parts);
  for (const [name, method] of Object.entries(GRPCInferenceServiceService))
    server.add(method as Method<unknown, unknown>, answers[name as keyof Service] as Handler<unknown, unknown>);
  const bound = await server.listen({ host, port }, `Port ${port} on ${host}`);
  if (socket) {
    await freeSocket(socket);
    await server.listen({ path: socket }, socket);
  }
  return { server, port: bound };
}
