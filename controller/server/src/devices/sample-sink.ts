/** Where inputs that devices kept for labelling go: a domain above devices opens, judges and stores them. */
export abstract class SampleSink {
  /** Resolves when the sample is stored, or was before. @throws ESP_SAMPLING_OFF, ESP_SAMPLE_REFUSED, ESP_SAMPLE_QUOTA */
  abstract take(deviceId: string, sealed: Uint8Array): Promise<void>;
  /** Deletes what is kept long enough, and tells devices what they are asked now. */
  abstract tend(): Promise<void>;
}
