/**
 * Winograd's convolution against the plain one in ncnn, which has both: ONNX Runtime has none to switch on. The networks are
 * chains of 3x3 convolutions as wide as each stage of a ResNet; a seed chooses their weights.
 */
import { median } from '@espalier/compression/recipe/latency';
import { linesOf } from '../program.ts';
import type { Arm } from './lab.ts';

const ROUNDS = 9;

/** Arguments are channels, side, seed and rounds; a line of JSON with the median milliseconds of each way, one thread. */
const PROGRAM = `
import json, os, statistics, sys, tempfile, time, numpy as np, ncnn
channels, side, seed, rounds = map(int, sys.argv[1:])
LAYERS = 4
folder = tempfile.mkdtemp()
count = channels * channels * 9
lines = ['7767517', f'{LAYERS + 1} {LAYERS + 1}', 'Input in 0 1 b0']
with open(os.path.join(folder, 'net.bin'), 'wb') as weights:
    draw = np.random.default_rng(seed)
    for at in range(LAYERS):
        lines.append(f'Convolution c{at} 1 1 b{at} b{at + 1} 0={channels} 1=3 4=1 5=1 6={count} 9=1')
        weights.write(np.uint32(0).tobytes())
        weights.write((draw.standard_normal(count) / (3 * channels ** 0.5)).astype(np.float32).tobytes())
        weights.write(np.zeros(channels, np.float32).tobytes())
open(os.path.join(folder, 'net.param'), 'w').write('\\n'.join(lines) + '\\n')
def opened(winograd):
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    net.opt.use_winograd_convolution = winograd
    # The same numbers on both sides: halves would be another claim.
    net.opt.use_bf16_storage = net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    assert net.load_param(os.path.join(folder, 'net.param')) == 0 and net.load_model(os.path.join(folder, 'net.bin')) == 0
    return net
nets = {'on': opened(True), 'off': opened(False)}
values = np.random.default_rng(1).standard_normal((channels, side, side)).astype(np.float32)
image = ncnn.Mat(values)
def run(net):
    extractor = net.create_extractor()
    extractor.input('b0', image)
    return np.array(extractor.extract(f'b{LAYERS}')[1])
on, off = run(nets['on']), run(nets['off'])
assert np.abs(on - off).max() < 0.05 * np.abs(off).max(), 'the two ways differ'
times = {'on': [], 'off': []}
for _ in range(rounds):
    for way, net in nets.items():
        start, runs = time.process_time(), 0
        while time.process_time() - start < 0.15:
            run(net)
            runs += 1
        times[way].append(1000 * (time.process_time() - start) / runs)
print(json.dumps({way: statistics.median(all) for way, all in times.items()}))
`;

/** How many times as fast Winograd's way is; processor time, in turns. */
export const winogradGain = (channels: number, side: number): Arm => ({
  id: `winograd-${channels}x${side}`,
  async run({ ncnn }, seed) {
    if (!ncnn) throw new Error('give --ncnn VENV, a Python environment with ncnn and numpy');
    const args = ['-c', PROGRAM, ...[channels, side, seed, ROUNDS].map(String)];
    const [found] = await linesOf(`${ncnn}/bin/python`, args, { log: 'ignore' });
    return Number(found!.off) / Number(found!.on);
  },
});

/** The widths and sides of the stages of a ResNet-20, of a wider network for larger images, and of a ResNet-50. */
export const STAGES: readonly (readonly [channels: number, side: number])[] = [
  [16, 32],
  [32, 16],
  [64, 8],
  [64, 56],
  [128, 28],
];

export const typical = (gains: readonly number[]): number => median([...gains]);
