import { FlagInvalid } from '../errors.js';

/** A parser for a flag that takes a number from 0 on. It throws ESP_FLAG_INVALID. */
export const positive =
  (flag: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
    throw FlagInvalid({ flag, value: text, wanted: 'a number from 0 on' });
  };

/** A parser for a flag that takes a whole number within limits. It throws ESP_FLAG_INVALID. */
export const wholeNumber =
  (flag: string, least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw FlagInvalid({ flag, value: text, wanted: `a whole number from ${least} to ${most}` });
  };
