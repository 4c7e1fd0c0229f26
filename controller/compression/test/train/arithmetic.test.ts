import { randomFrom } from '@espalier/compression/data/feeds';
import { epochsWithin } from '@espalier/compression/recipe/tune';
import { augmentImage } from '@espalier/compression/train/augment';
import { loadRecipe, recipeNames } from '@espalier/compression/train/load-recipe';
import { cutMix, type MixedBatch, mixUp } from '@espalier/compression/train/mix';
import { average, Optimizer, type OptimizerSpec } from '@espalier/compression/train/optimizer';
import { Augmentation } from '@espalier/compression/train/recipe';
import { rateFactor, seedOfEpoch, shuffled, temperatureAt } from '@espalier/compression/train/schedule';
import t from 'tap';

const SGD: OptimizerSpec = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0, clipNorm: 0 };
const parameter = (dims: number[]) => {
  const length = dims.reduce((product, size) => product * size, 1);
  return { name: 'w', dims, offset: 0, length, initial: new Float32Array(length) };
};

t.test('SGD: momentum, Nesterov, decay of matrices only, clipping', (t) => {
  const values = Float32Array.of(1, 2);
  const plain = new Optimizer(SGD, [parameter([2])], 2);
  plain.step(values, Float32Array.of(1, 0), 0.1);
  plain.step(values, Float32Array.of(1, 0), 0.1);
  // v = 1, then 1.9: 1 - 0.1 - 0.19.
  t.ok(Math.abs(values[0]! - 0.71) < 1e-6, `${values[0]}`);
  t.equal(values[1], 2);
  const ahead = Float32Array.of(1);
  new Optimizer({ ...SGD, nesterov: true }, [parameter([1])], 1).step(ahead, Float32Array.of(1), 0.1);
  t.ok(Math.abs(ahead[0]! - (1 - 0.1 * 1.9)) < 1e-6, 'g + m v');
  const decayed = (dims: number[]): number => {
    const one = Float32Array.of(1, 1);
    new Optimizer({ ...SGD, weightDecay: 0.5 }, [parameter(dims)], 2).step(one, new Float32Array(2), 0.1);
    return one[0]!;
  };
  t.ok(decayed([2, 1]) < 1, 'a matrix shrinks');
  t.equal(decayed([2]), 1, 'a bias does not');
  const clipped = Float32Array.of(0, 0);
  const length = new Optimizer({ ...SGD, clipNorm: 1 }, [parameter([2])], 2).step(clipped, Float32Array.of(30, 40), 1);
  t.equal(length, 50);
  t.ok(Math.abs(Math.hypot(clipped[0]!, clipped[1]!) - 1) < 1e-6, 'one long');
  t.end();
});

t.test('AdamW: the first step is as long as the rate, whatever the gradient', (t) => {
  const values = Float32Array.of(0, 0);
  new Optimizer({ ...SGD, kind: 'adamw' }, [parameter([2])], 2).step(values, Float32Array.of(1e-3, -5), 0.01);
  t.ok(Math.abs(values[0]! + 0.01) < 1e-5 && Math.abs(values[1]! - 0.01) < 1e-5, `${values}`);
  const mean = Float32Array.of(1);
  average(mean, Float32Array.of(3), 0.5);
  t.equal(mean[0], 2);
  t.end();
});

t.test('the rate rises and falls, the temperature goes in a line, epochs have seeds of their own', (t) => {
  const rates = Array.from({ length: 100 }, (_, step) => rateFactor(step, 100, 0.1));
  t.ok(rates[0]! < 0.11 && rates[99]! < 0.01 && Math.max(...rates) < 1);
  t.equal(rates.indexOf(Math.max(...rates)), 9, 'the highest at the end of the warm-up');
  t.same([temperatureAt(0, 5, 10, 2), temperatureAt(2, 5, 10, 2), temperatureAt(4, 5, 10, 2)], [10, 6, 2]);
  t.same(
    [...shuffled(50, randomFrom(3))].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, at) => at),
  );
  t.equal(new Set([0, 1, 2, 3].map((epoch) => seedOfEpoch(1, epoch))).size, 4);
  t.equal(epochsWithin({ samples: 999, secondsPerSample: 1e-6, minutes: 60 }, 4), 0, 'too few samples');
  t.equal(epochsWithin({ samples: 10_000, secondsPerSample: 0.035, minutes: 12 }, 4), 2, 'as many as fit');
  t.equal(epochsWithin({ samples: 10_000, secondsPerSample: 1e-4, minutes: 60 }, 4), 4, 'no more than pay');
  t.end();
});

/** A ramp, 4x4 RGB. */
const ramp = { data: Uint8Array.from({ length: 48 }, (_, at) => at * 5), width: 4, height: 4, channels: 3 };
const quiet = Augmentation.parse({ flip: false });
const red = (pixels: typeof ramp): number[] => Array.from({ length: 16 }, (_, at) => pixels.data[at * 3]!);

t.test('augmentation: mirrored, moved, turned, recoloured', (t) => {
  const fill = [9, 9, 9];
  t.same(augmentImage(ramp, quiet, fill, Math.random).pixels.data, ramp.data, 'nothing asked, nothing done');
  const mirrored = augmentImage(ramp, { ...quiet, flip: true }, fill, () => 0);
  t.ok(mirrored.mirrored);
  t.same(red(mirrored.pixels as typeof ramp).slice(0, 4), red(ramp).slice(0, 4).reverse());
  // 0.99 draws the largest move: one pixel to the right and down.
  const moved = red(augmentImage(ramp, { ...quiet, shift: 1 }, fill, () => 0.99).pixels as typeof ramp);
  t.same(moved.slice(0, 5), [9, 9, 9, 9, 9]);
  t.equal(moved[5], red(ramp)[0]);
  const still = augmentImage(ramp, { ...quiet, rotate: 1e-9, scale: 1e-9 }, fill, () => 0.3).pixels;
  t.same(still.data, ramp.data, 'a turn by nothing');
  const bright = augmentImage(ramp, { ...quiet, brightness: 0.5 }, fill, () => 0).pixels;
  t.equal(bright.data[6], ramp.data[6]! / 2);
  const grey = augmentImage(ramp, { ...quiet, saturation: 1 }, fill, () => 0).pixels.data;
  t.ok(Math.abs(grey[0]! - grey[2]!) <= 1, 'without colour');
  t.throws(() => Augmentation.parse({ cutmix: 0.7, mixup: 0.7 }));
  t.end();
});

t.test('mixed batches: targets stay distributions, in proportion to what is seen', (t) => {
  const batch = (): MixedBatch => ({
    x: Float32Array.from({ length: 2 * 16 }, (_, at) => (at < 16 ? 1 : 0)),
    target: Float32Array.of(1, 0, 0, 1),
    ...{ size: 2, height: 4, width: 4 },
  });
  for (const mix of [mixUp, cutMix]) {
    const mixed = batch();
    mix(mixed, randomFrom(5));
    const seen = mixed.x.slice(0, 16).reduce((sum, x) => sum + x, 0) / 16;
    t.ok(
      Math.abs(mixed.target[0]! - seen) < 1e-6,
      `${mix.name}: ${seen} of the image, ${mixed.target[0]} of the label`,
    );
    t.ok(Math.abs(mixed.target[0]! + mixed.target[1]! - 1) < 1e-6);
    t.ok(Math.abs(mixed.target[0]! - mixed.target[3]!) < 1e-6, 'both rows alike');
  }
  t.end();
});

t.test('recipes: ours are valid, others are refused with the field', async (t) => {
  t.same(await recipeNames(), ['distill', 'progressive', 'quantize-aware', 'tune', 'xnor']);
  for (const name of await recipeNames()) t.ok((await loadRecipe(name)).stages.length > 0, name);
  const folder = t.testdir({ 'bad.yaml': 'stages: [{ epochs: 0 }]', 'odd.yaml': 'stages: [{ epochs: 1, epoch: 2 }]' });
  await t.rejects(loadRecipe(`${folder}/bad.yaml`), { code: 'ESP_RECIPE_INVALID', message: /stages.0.epochs/ });
  await t.rejects(loadRecipe(`${folder}/odd.yaml`), { code: 'ESP_RECIPE_INVALID', message: /epoch/ });
  await t.rejects(loadRecipe('no-such-recipe'), { code: 'ESP_RECIPE_INVALID' });
});
