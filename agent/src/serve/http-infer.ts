/** POST .../infer over HTTP: tensors as JSON, as bytes after it, or in shared memory; or one image. */
import type { IncomingMessage } from 'node:http';
import { RequestInvalid } from '../errors.js';
import { readBody } from './body.js';
import type { Answer, HttpParts } from './http.js';
import { classify, inputFromImage } from './images.js';
import { readParameters } from './request-parameters.js';
import { parseBody, readInputs, writeResponse } from './tensors.js';

const HEADER_LENGTH = 'inference-header-content-length';
const TOP = 5;

const isImage = (request: IncomingMessage): boolean =>
  /^image\/(jpeg|png)\b/.test(request.headers['content-type'] ?? '');

interface Target {
  readonly name: string;
  readonly version: string | undefined;
  readonly query: URLSearchParams;
}

export async function infer(parts: HttpParts, target: Target, request: IncomingMessage): Promise<Answer> {
  const arrivedMs = parts.now();
  const body = await readBody(request, parts.maxBodyBytes);
  return isImage(request)
    ? inferImage(parts, target, body, arrivedMs)
    : inferTensors(parts, target, body, request.headers[HEADER_LENGTH], arrivedMs);
}

async function inferTensors(
  { serving, memory }: HttpParts,
  { name, version }: Target,
  body: Buffer,
  length: string | string[] | undefined,
  arrivedMs: number,
): Promise<Answer> {
  // After the body: a slow upload may outlast a swap, and the old model ends with it.
  const served = serving.model(name, version);
  const { request, binary } = parseBody(body, length === undefined ? null : Number(length));
  const feeds = readInputs(request, binary, served.pool.inputs, memory);
  const result = await serving.infer(served, feeds, readParameters(request.parameters, arrivedMs));
  try {
    const { body: answer, headerLength } = writeResponse(served, request, result.outputs, memory);
    const type = headerLength === null ? 'application/json' : 'application/octet-stream';
    return {
      body: answer,
      headers: { 'content-type': type, ...(headerLength === null ? {} : { [HEADER_LENGTH]: String(headerLength) }) },
    };
  } finally {
    result.release();
  }
}

/** An image gets labels: ?top=N of them, with `timeout` and `priority` in the query too. */
async function inferImage(
  { serving }: HttpParts,
  { name, version, query }: Target,
  body: Buffer,
  arrivedMs: number,
): Promise<Answer> {
  const top = Number(query.get('top') ?? TOP);
  if (!(Number.isInteger(top) && top > 0))
    throw RequestInvalid({ problem: `top is ${query.get('top')}, not a whole number` });
  const feeds = await inputFromImage(serving.model(name, version), body);
  const served = serving.model(name, version);
  const options = readParameters(Object.fromEntries(query), arrivedMs);
  const { outputs, release } = await serving.infer(served, feeds, options);
  const classes = classify(served, outputs, top);
  release();
  return { json: { model_name: served.name, model_version: served.version, classes } };
}
