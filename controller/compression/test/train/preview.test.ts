import { previewPage } from '@espalier/compression/train/preview';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import type { Pixels } from '@espalier/proto';
import t from 'tap';

const image = (seed: number): Pixels => ({
  ...{ width: 8, height: 8, channels: 3 },
  data: Uint8Array.from({ length: 192 }, (_, at) => (at * seed) % 256),
});
const count = (page: string, kind: string): number => page.split(`class="${kind}"`).length - 1;

t.test('every stage shows each image with its versions, and mixed batches where it mixes', async (t) => {
  const recipe = TrainRecipe.parse({
    stages: [
      { name: 'strong', epochs: 1, augment: { scale: 0.2, rotate: 15, cutmix: 0.3, mixup: 0.1 } },
      { name: 'plain', epochs: 1 },
    ],
  });
  const images = [image(3), image(5), image(7)];
  const page = await previewPage(images, recipe, { versions: 4, seed: 1 });
  t.equal(count(page, 'stored'), 6);
  t.equal(count(page, 'augmented'), 24);
  t.equal(count(page, 'mixed'), 6, 'CutMix and MixUp, in the first stage only');
  t.match(page, /CutMix, on 30 % of the batches/);
  t.notMatch(page, /src="http|<script/, 'self-contained');
  t.equal(await previewPage(images, recipe, { versions: 4, seed: 1 }), page, 'a seed gives the same page');
});
