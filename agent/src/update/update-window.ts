/** A part of the day, in minutes since local midnight; `from` after `to` means over midnight. */
export interface UpdateWindow {
  readonly from: number;
  readonly to: number;
}

const PATTERN = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** `22:00-06:00`, or null for what is no such window. */
export function parseUpdateWindow(text: string): UpdateWindow | null {
  const [, fromHour, fromMinute, toHour, toMinute] = PATTERN.exec(text)?.map(Number) ?? [];
  if (fromHour === undefined) return null;
  return { from: fromHour * 60 + fromMinute!, to: toHour! * 60 + toMinute! };
}

/** Whether the local time of a date lies in the window, its end not included; an empty window is the whole day. */
export function isOpen({ from, to }: UpdateWindow, at: Date): boolean {
  const minute = at.getHours() * 60 + at.getMinutes();
  if (from === to) return true;
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}
