/** The words between the main thread and a worker, looked at from both ends at the worst moment. */
import { Doorbell, Doorstep, doorbellMemory } from '@espalier/agent/runtime/doorbell';
import t from 'tap';

/** Looks of a worker that finds nothing, before it stands still. */
const LOOKS = 4;

t.test('a batch is never seen before the message that tells of its slab, whenever both are posted', async (t) => {
  const load = Atomics.load;
  t.teardown(() => {
    Atomics.load = load;
  });
  for (let moment = 1; moment <= LOOKS; moment++) {
    const memory = doorbellMemory();
    const bell = new Doorbell(memory);
    const door = new Doorstep(memory);
    let looks = 0;
    // Both are posted just before the worker's nth look at the words.
    Atomics.load = ((words: Int32Array, at: number): number => {
      if (++looks === moment) {
        Atomics.load = load;
        bell.message();
        bell.batch(7, 2);
      }
      return load(words, at);
    }) as typeof Atomics.load;
    t.equal(door.next(), 'message', `posted at look ${moment}`);
    t.strictSame(door.next(), { slab: 7, rows: 2 });
  }
});

t.test('answers are taken in order; one that comes as a message holds those behind it back', async (t) => {
  const memory = doorbellMemory();
  const bell = new Doorbell(memory);
  const door = new Doorstep(memory);
  for (const slab of [1, 2, 3]) bell.batch(slab, 1);
  t.notOk(bell.takeQuiet());
  t.ok(door.answered(true), 'who does not look is told');
  bell.looks(true);
  t.ok(door.answered(false), 'an answer with something to say is always told');
  t.notOk(door.answered(true), 'who looks is not');
  t.ok(bell.takeQuiet());
  t.notOk(bell.takeQuiet(), 'the second comes as a message');
  bell.takeTold();
  t.ok(bell.takeQuiet());
  t.notOk(bell.takeQuiet());
});
