import { z } from 'zod';

/** What an agent read about its machine: facts only, no judgement. Unknown is null or absent, never a guess. */
export const Facts = z.object({
  version: z.literal(1),
  arch: z.enum(['x64', 'arm64']),
  hostname: z.string(),
  os: z.object({ id: z.string().nullable(), version: z.string().nullable(), kernel: z.string().nullable() }),
  board: z.object({ model: z.string().nullable(), compatible: z.array(z.string()), serialHash: z.string().nullable() }),
  soc: z.string().nullable(),
  cpu: z.object({
    model: z.string().nullable(),
    implementer: z.string().nullable(),
    parts: z.array(z.string()),
    features: z.array(z.string()),
    cores: z.int().positive(),
    quotaCpus: z.number().positive().nullable(),
    allowedCpus: z.int().positive().nullable(),
    clusters: z.array(
      z.object({ cpus: z.array(z.int()), maxMhz: z.number().nullable(), capacity: z.number().nullable() }),
    ),
  }),
  memory: z.object({ totalBytes: z.int().nullable(), limitBytes: z.int().nullable(), pageSize: z.int().nullable() }),
  accelerators: z.array(z.object({ kind: z.string(), name: z.string(), version: z.string().nullable() })),
  runtimes: z.array(z.object({ adapter: z.string(), version: z.string(), providers: z.array(z.string()) })),
  /** For people who look for a machine; absent from agents that do not read it. */
  host: z
    .object({
      osName: z.string().nullable(),
      cpuBrand: z.string().nullable(),
      /** Bytes, summed over the cores of the machine. */
      caches: z
        .object({
          l1dBytes: z.number().nullable(),
          l1iBytes: z.number().nullable(),
          l2Bytes: z.number().nullable(),
          l3Bytes: z.number().nullable(),
        })
        .nullable(),
      /** The file system that the models are kept on. */
      disk: z.object({ mount: z.string(), type: z.string(), totalBytes: z.number() }).nullable(),
      addresses: z.array(z.object({ interface: z.string(), ip4: z.string().nullable(), ip6: z.string().nullable() })),
    })
    .optional(),
  container: z.string().nullable(),
  machineIdHash: z.string().nullable(),
  bootId: z.string().nullable(),
  agentVersion: z.string(),
  /** Fact path to the file or call it was read from. */
  sources: z.record(z.string(), z.string()),
});
export type Facts = z.infer<typeof Facts>;
