/** Servers that answer at once with nothing: what a transport costs by itself. Prints where they listen. */
import http from 'node:http';
import { GRPCInferenceServiceService, ModelInferResponse } from '@espalier/proto/inference';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const [, , socket = ''] = process.argv;
const grpc = new Server({ 'grpc.max_receive_message_length': -1 });
const answer = ModelInferResponse.fromPartial({
  ...{ modelName: 'm', modelVersion: '1', outputs: [{ name: 'output', datatype: 'FP32', shape: [1n, 10n] }] },
  rawOutputContents: [Buffer.alloc(40)],
});
const { modelInfer } = GRPCInferenceServiceService;
grpc.addService(
  { modelInfer },
  { modelInfer: (_call: unknown, done: (error: null, value: typeof answer) => void) => done(null, answer) },
);
const port = await new Promise<number>((resolve, reject) =>
  grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  ),
);
const body = Buffer.from(JSON.stringify({ model_name: 'm', model_version: '1', outputs: [] }));
http
  .createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-length': body.length }).end(body));
  })
  .listen(socket, () => process.stdout.write(`gRPC at 127.0.0.1:${port}\n`));
process.on('SIGTERM', () => process.exit(0));
