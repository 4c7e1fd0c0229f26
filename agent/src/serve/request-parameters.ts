/** What a request says of time: `timeout` in microseconds, `priority` with 1 as the highest [OIP parameters extension]. */
import { RequestInvalid } from '../errors.js';
import type { Priority } from '../runtime/batching/request-queue.js';
import type { InferOptions } from '../runtime/dispatcher.js';

type Parameters = Readonly<Record<string, unknown>>;

const CLASSES: Readonly<Record<number, Priority>> = { 0: 'normal', 1: 'high', 2: 'normal' };

function whole(parameters: Parameters, name: string): number | null {
  const value = parameters[name];
  if (value === undefined) return null;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0) return number;
  throw RequestInvalid({ problem: `parameters.${name} is ${String(value)}, not a whole number of at least 0` });
}

/** @throws ESP_REQUEST_INVALID naming the parameter */
export function readParameters(parameters: Parameters | undefined, arrivedMs: number): InferOptions {
  if (!parameters) return { arrivedMs };
  const timeoutUs = whole(parameters, 'timeout');
  const priority = whole(parameters, 'priority');
  return {
    arrivedMs,
    ...(timeoutUs ? { deadlineMs: arrivedMs + timeoutUs / 1000 } : {}),
    ...(priority === null ? {} : { priority: CLASSES[priority] ?? 'low' }),
  };
}
