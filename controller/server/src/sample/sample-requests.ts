/** Sends images to a device over the Open Inference Protocol, as an application beside it would. */
const PIXELS = 28 * 28;

/** @returns how many of `count` requests were answered with one score for each class */
export async function sendSamples(endpoint: string, model: string, count: number): Promise<number> {
  let answered = 0;
  for (let index = 0; index < count; index++) {
    const data = Array.from({ length: PIXELS }, (_, pixel) => ((pixel * (index + 1)) % 256) / 255);
    const response = await fetch(`${endpoint}/v2/models/${model}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ name: 'image', shape: [1, 1, 28, 28], datatype: 'FP32', data }] }),
    });
    if (!response.ok) continue;
    const { outputs } = (await response.json()) as { outputs: { shape: number[] }[] };
    if (outputs[0]?.shape.at(-1) === 10) answered++;
  }
  return answered;
}
