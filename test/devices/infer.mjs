/**
 * Runs one model over rows of float32 and writes the rows that come out. Started on this machine and on emulated ones,
 * so it is plain JavaScript: stripping types takes seconds there.
 *   node infer.mjs JOB.json        {model, sessionOptions, inputs, shape (one row), outputs: file to write}
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const bytes = readFileSync(job.inputs);
const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const rowLength = job.shape.reduce((product, size) => product * size, 1);
const session = await InferenceSession.create(job.model, job.sessionOptions);
const rows = [];
for (let at = 0; at < values.length; at += rowLength) {
  const row = new Tensor('float32', values.slice(at, at + rowLength), [1, ...job.shape]);
  const result = await session.run({ [session.inputNames[0]]: row });
  rows.push(Buffer.from(Float32Array.from(result[session.outputNames[0]].data).buffer));
}
writeFileSync(job.outputs, Buffer.concat(rows));
