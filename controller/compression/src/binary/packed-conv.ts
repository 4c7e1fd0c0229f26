/**
 * A convolution of signs [Rastegari et al. 2016, XNOR-Net]: inputs and weights are one bit each, the product is counted
 * by XOR and population count, and scaled for each filter. The image lies as [height, width, channels].
 */
import { BinaryUnfit } from '../errors.js';
import { kernelModule } from './kernel-code.js';
import { type BinaryShape, FILTER_BLOCK, type Sizes, sizesOf, stepsOf, WORD, weightPlace } from './layout.js';

const PAGE_BYTES = 65_536;

export interface BinaryLayer {
  readonly node: string;
  readonly shape: BinaryShape;
  /** [filters, channels, kh, kw]: only the signs count; 0 is -1. */
  readonly weights: Float32Array;
  /** What each filter is scaled by. */
  readonly scales: Float32Array;
  /** Input above its channel's threshold is +1, else -1. */
  readonly thresholds: Float32Array;
}

interface Kernel {
  readonly pack: () => void;
  readonly convolve: () => void;
}

export class PackedConv {
  private readonly sizes: Sizes;
  private readonly kernel: Kernel;
  /** [height, width, channels]; write the image here. */
  readonly input: Float32Array;
  /** [out height, out width, filters] of the last run. */
  readonly output: Float32Array;
  /** What a place at the border lacks, by place; [filters] each. */
  private readonly corrections: ReadonlyMap<number, Float32Array>;

  /** @throws ESP_BINARY_UNFIT when channels or filters do not fill the kernel's registers */
  constructor(layer: BinaryLayer) {
    const { node, shape } = layer;
    const { channels, filters } = shape;
    if (channels % WORD !== 0 || filters % FILTER_BLOCK !== 0) throw BinaryUnfit({ node, channels, filters });
    this.sizes = sizesOf(shape);
    const { places, out, windowWords } = this.sizes;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(places.end / PAGE_BYTES) });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(kernelModule(shape)), { env: { memory } });
    this.kernel = instance.exports as unknown as Kernel;
    const { buffer } = memory;
    this.input = new Float32Array(buffer, places.input, shape.height * shape.width * channels);
    this.output = new Float32Array(buffer, places.output, out[0] * out[1] * filters);
    new Float32Array(buffer, places.thresholds, channels).set(layer.thresholds);
    new Float32Array(buffer, places.scales, filters).set(layer.scales);
    packWeights(layer, this.sizes, new Uint32Array(buffer, places.weights, filters * windowWords));
    this.corrections = borderCorrections(layer, this.sizes);
  }

  /** Bytes of the weights as they are kept. */
  get weightBytes(): number {
    return 4 * this.sizes.windowWords * (this.output.length / (this.sizes.out[0] * this.sizes.out[1]));
  }

  run(): void {
    this.kernel.pack();
    this.kernel.convolve();
    for (const [place, correction] of this.corrections) {
      const start = place * correction.length;
      for (let filter = 0; filter < correction.length; filter++) this.output[start + filter]! += correction[filter]!;
    }
  }
}

/** Signs as words: [filters / 8, steps of the window, 8 filters, 1 or 2 words]. */
function packWeights({ shape, weights }: BinaryLayer, sizes: Sizes, into: Uint32Array): void {
  const { channels, filters, kernel } = shape;
  const taps = kernel[0] * kernel[1];
  for (let filter = 0; filter < filters; filter++) {
    const block = Math.floor(filter / FILTER_BLOCK) * FILTER_BLOCK * sizes.windowWords;
    for (const step of stepsOf(shape, sizes)) {
      const place = block + weightPlace(step, filter % FILTER_BLOCK);
      for (let bit = 0; bit < WORD * step.words; bit++) {
        const at = WORD * step.word + bit;
        const [tap, channel] = [Math.floor(at / channels), at % channels];
        if (weights[(filter * channels + channel) * taps + tap]! > 0) {
          into[place + Math.floor(bit / WORD)]! |= 1 << (bit % WORD);
        }
      }
    }
  }
}

/**
 * The border is packed as -1, and padding with zeros is wanted: for each place whose window lies partly outside, what the
 * weights out there have taken away is given back.
 */
function borderCorrections({ shape, weights, scales }: BinaryLayer, { out }: Sizes): Map<number, Float32Array> {
  const { channels, filters, kernel, stride, pads, height, width } = shape;
  const taps = kernel[0] * kernel[1];
  const sums = Float32Array.from({ length: filters * taps }, (_, at) => {
    const [filter, tap] = [Math.floor(at / taps), at % taps];
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      sum += weights[(filter * channels + channel) * taps + tap]! > 0 ? 1 : -1;
    }
    return sum;
  });
  const found = new Map<number, Float32Array>();
  for (let place = 0; place < out[0] * out[1]; place++) {
    const top = Math.floor(place / out[1]) * stride[0] - pads[0];
    const left = (place % out[1]) * stride[1] - pads[1];
    const outside = Array.from({ length: taps }, (_, tap) => tap).filter((tap) => {
      const [row, column] = [top + Math.floor(tap / kernel[1]), left + (tap % kernel[1])];
      return row < 0 || row >= height || column < 0 || column >= width;
    });
    if (outside.length === 0) continue;
    const correction = Float32Array.from(
      { length: filters },
      (_, filter) => scales[filter]! * outside.reduce((sum, tap) => sum + sums[filter * taps + tap]!, 0),
    );
    found.set(place, correction);
  }
  return found;
}
