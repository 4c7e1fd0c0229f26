import { z } from 'zod';
import { LayersUnreadable } from '../../common/errors.js';
import { type Layers, layersOf } from './layers.js';

const FORMAT = 'Qualcomm AI Hub';

/** Times in microseconds; what else the profile holds is left alone. */
const Profile = z.object({
  execution_summary: z.object({ estimated_inference_time: z.number().positive() }),
  execution_detail: z.array(z.object({ name: z.string(), execution_time: z.number().nonnegative() })),
});

/** The profile of a job (`ProfileJob.download_profile()`) as JSON. @throws ESP_LAYERS_UNREADABLE */
export function readAiHub(text: string): Layers {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw LayersUnreadable({ format: FORMAT, why: (error as Error).message }, { cause: error });
  }
  const parsed = Profile.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw LayersUnreadable({ format: FORMAT, why: `${issue.path.join('.')}: ${issue.message}` });
  }
  const { execution_detail: detail, execution_summary: summary } = parsed.data;
  const layers = detail.map(({ name, execution_time: us }) => ({ name, us }));
  return layersOf(FORMAT, layers, summary.estimated_inference_time);
}
