import { isOpen, parseUpdateWindow } from '@espalier/agent/update/update-window';
import t from 'tap';

const at = (hours: number, minutes = 0): Date => new Date(2026, 5, 1, hours, minutes);

t.test('a window within a day, one over midnight, and the whole day', async (t) => {
  const day = parseUpdateWindow('09:30-17:00')!;
  t.strictSame(
    [at(9, 29), at(9, 30), at(16, 59), at(17)].map((date) => isOpen(day, date)),
    [false, true, true, false],
  );
  const night = parseUpdateWindow('22:00-06:00')!;
  t.strictSame(
    [at(21, 59), at(22), at(2), at(6)].map((date) => isOpen(night, date)),
    [false, true, true, false],
  );
  t.ok(isOpen(parseUpdateWindow('00:00-00:00')!, at(12)));
});

t.test('what is no window is not taken for one', async (t) => {
  for (const text of ['', '22-06', '24:00-06:00', '22:60-06:00', '22:00 - 06:00'])
    t.equal(parseUpdateWindow(text), null, text);
});
