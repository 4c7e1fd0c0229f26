/** Whether half precision is faster on this machine: the same convolution in both, timed in turn. */
import { Tensor } from 'onnxruntime-node';
import { encodeModel } from '../onnx/codec.js';
import { Type } from '../onnx/tensor.js';
import { median } from '../recipe/latency.js';
import { Session } from '../runtime/session.js';
import { graphOf } from './graph-of.js';
import { Tape } from './tape.js';

const CHANNELS = 32;
const SIDE = 32;
const ROUNDS = 15;

interface Runnable {
  readonly run: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** x * w with both fed, as in training, where no weight is a constant. */
async function openConvolution(isHalf: boolean): Promise<Runnable> {
  const tape = new Tape(1);
  const dims = { x: [8, CHANNELS, SIDE, SIDE], w: [CHANNELS, CHANNELS, 3, 3] };
  const names = Object.entries(dims).map(([name, size]) => tape.declare(name, size));
  const cast = (value: string, to: number): string =>
    isHalf ? tape.emit('Cast', [value], tape.shape(value), { to }) : value;
  const inputs = names.map((name) => cast(name, Type.FLOAT16));
  const y = cast(tape.emit('Conv', inputs, dims.x, { pads: [1, 1, 1, 1] }), Type.FLOAT);
  const session = await Session.open(encodeModel(graphOf(tape, names, { y })), 'a convolution');
  const feeds = Object.fromEntries(
    Object.entries(dims).map(([name, size]) => {
      const values = new Float32Array(size.reduce((product, one) => product * one, 1)).fill(0.01);
      return [name, new Tensor('float32', values, size)];
    }),
  );
  return { run: () => session.run(feeds), close: () => session.dispose() };
}

/** Time of a float16 convolution over that of a float32 one, median of interleaved rounds. */
export async function halfTimeRatio(): Promise<number> {
  const [single, half] = [await openConvolution(false), await openConvolution(true)];
  const timed = async ({ run }: Runnable): Promise<number> => {
    const started = performance.now();
    await run();
    return performance.now() - started;
  };
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const whole = await timed(single);
    ratios.push((await timed(half)) / whole);
  }
  await Promise.all([single.close(), half.close()]);
  return median(ratios);
}
