/** Words inside and around the charts. */
export const charts = {
  time: 'Time',
  pareto: 'Accuracy against latency',
  paretoAlt: (profile: string, count: number) => `Accuracy against p50 latency of ${count} builds for ${profile}.`,
  latencyAxis: 'p50 latency, logarithmic',
  accuracyAxis: 'top-1 accuracy',
  front: 'best trade-offs',
  minAccuracy: 'accuracy budget',
  maxLatency: 'latency budget',
  baseline: 'baseline',
  legend: 'Size of a point: size of the file. Hollow: another build is both faster and more accurate.',
  proof: 'Dashed: timed in the proof on the controller’s machine, not yet on devices.',
  trained: 'Of the build',
  loss: 'Loss',
  lossLabel: 'The training’s loss over the build so far.',
  nothing: 'Builds appear here as soon as their accuracy and latency are measured.',
} as const;
