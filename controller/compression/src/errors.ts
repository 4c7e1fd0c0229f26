import { defineError } from '@espalier/proto';

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

export const ModelUnreadable = defineError<{ path: string; why: string }>(
  'ESP_MODEL_UNREADABLE',
  400,
  ({ path, why }) => `${path} cannot be read: ${why}.`,
  () => 'Check the path and the permissions of the file.',
);

export const ModelInvalid = defineError<{ path: string; why: string }>(
  'ESP_MODEL_INVALID',
  422,
  ({ path, why }) => `${path} is not a valid ONNX model: ${why}.`,
  () => 'Export the model again, or check that the file was copied whole.',
);

export const ExternalDataInvalid = defineError<{ tensor: string; location: string; why: string }>(
  'ESP_MODEL_EXTERNAL_DATA',
  422,
  ({ tensor, location, why }) => `The data of tensor ${tensor} in "${location}" cannot be used: ${why}.`,
  () => 'Keep side files in the folder of the model, or export the model as a single file.',
);

export const ModelTooLarge = defineError<{ bytes: number }>(
  'ESP_MODEL_TOO_LARGE',
  422,
  ({ bytes }) => `The model would be one file of ${bytes} bytes, and an ONNX file ends at 2 GB.`,
  () => 'Write it with its weights in a side file.',
);

export const GraphBroken = defineError<{ pass: string; rule: string; at: string; why: string }>(
  'ESP_GRAPH_BROKEN',
  500,
  ({ pass, rule, at, why }) => `After ${pass} the graph breaks the rule "${rule}" at ${at}: ${why}.`,
  ({ pass }) => `This is a fault of ${pass}. Please report it with the model.`,
);

export const RewriteNotExact = defineError<{ pass: string; output: string; difference: number }>(
  'ESP_REWRITE_NOT_EXACT',
  500,
  ({ pass, output, difference }) => `${pass} changed the output ${output} by ${difference} of its range.`,
  ({ pass }) => `This is a fault of ${pass}. Please report it with the model.`,
);

export const CalibrationMissing = defineError<{ model: string }>(
  'ESP_CALIBRATION_MISSING',
  422,
  ({ model }) => `int8 needs data to calibrate ${model}, and none was given.`,
  () => 'Give a data SPEC with --calibrate; random:64 works without data, at a cost in accuracy.',
);

export const CacheUnusable = defineError<{ path: string; why: string }>(
  'ESP_CALIBRATION_CACHE',
  422,
  ({ path, why }) => `${path} cannot hold what calibration has found: ${why}.`,
  () => 'Give --cache a new file in a folder that can be written, or none.',
);

export const CalibrationTooLarge = defineError<{ bytes: number; budget: number }>(
  'ESP_CALIBRATION_TOO_LARGE',
  422,
  ({ bytes, budget }) =>
    `One sample and its activations take ${Math.round(bytes / 1e6)} MB, and calibration may take ${Math.round(budget / 1e6)} MB on this machine.`,
  () => 'Give the model smaller inputs, or build on a machine with more memory.',
);

export const SpecInvalid = defineError<{ spec: string; why: string }>(
  'ESP_DATA_SPEC_INVALID',
  400,
  ({ spec, why }) => `"${spec}" is not a data SPEC: ${why}.`,
  () =>
    'A SPEC is one of cifar10:FILE, idx:IMAGES,LABELS, csv:FILE, coco:JSON, kws:FILE, npy:DIR, list:FILE or random:N.',
);

export const DataUnreadable = defineError<{ spec: string; file: string; why: string }>(
  'ESP_DATA_UNREADABLE',
  422,
  ({ spec, file, why }) => `${file} of data SPEC "${spec}" cannot be read: ${why}.`,
  () => 'Check the path and that the file has the format the SPEC names.',
);

export const DataUnfit = defineError<{ spec: string; input: string; why: string }>(
  'ESP_DATA_UNFIT',
  422,
  ({ spec, input, why }) => `The samples of "${spec}" do not fit input ${input}: ${why}.`,
  () => 'Give a preprocessing record that brings the samples to the size of the input, or other data.',
);

export const PreprocessInvalid = defineError<{ source: string; why: string }>(
  'ESP_PREPROCESS_INVALID',
  422,
  ({ source, why }) => `The preprocessing record from ${source} is not valid: ${why}.`,
  () => 'See docs/compression.md for the fields of a record.',
);

export const DetectionInvalid = defineError<{ source: string; why: string }>(
  'ESP_DETECTION_INVALID',
  422,
  ({ source, why }) => `The detection outputs from ${source} are not usable: ${why}.`,
  () => 'See docs/compression.md, "Detection", for the fields of the declaration.',
);

export const DetectionUndeclared = defineError<{ model: string; outputs: string }>(
  'ESP_DETECTION_UNDECLARED',
  422,
  ({ model, outputs }) => `Nothing says which outputs of ${model} (${outputs}) are boxes, scores and classes.`,
  () => 'Give --detection FILE, or put MODEL.detection.json beside the model.',
);

export const ProfileInvalid = defineError<{ file: string; why: string }>(
  'ESP_PROFILE_INVALID',
  422,
  ({ file, why }) => `The hardware profile in ${file} is not valid: ${why}.`,
  () => 'Compare it with the profiles that come with Espalier; docs/compression.md explains the fields.',
);

export const ProfileUnknown = defineError<{ profile: string; known: string }>(
  'ESP_PROFILE_UNKNOWN',
  404,
  ({ profile }) => `There is no hardware profile ${profile}.`,
  ({ known }) => `Choose one of: ${known}.`,
);

export const ProfileUnmatched = defineError<{ arch: string }>(
  'ESP_PROFILE_UNMATCHED',
  404,
  ({ arch }) => `No hardware profile fits this ${arch} machine.`,
  () => 'Name one with --profile; `espalier profiles list` shows all.',
);

export const TfliteUnsupported = defineError<{ node: string; op: string; why: string }>(
  'ESP_TFLITE_UNSUPPORTED',
  422,
  ({ node, op, why }) => `${node} (${op}) cannot be written as full-integer TensorFlow Lite: ${why}.`,
  () => 'Write .onnx for this model, or replace the operator; docs/compression.md lists those that can be written.',
);

export const TfliteNeedsInt8 = defineError<{ model: string; why: string }>(
  'ESP_TFLITE_NEEDS_INT8',
  422,
  ({ model, why }) => `${model} was kept in float, and .tflite is written of int8 builds only: ${why}`,
  () => 'Write .onnx, or give a float model with operators that the profile has int8 kernels for.',
);

export const FlagInvalid = defineError<{ flag: string; value: string; wanted: string }>(
  'ESP_FLAG_INVALID',
  400,
  ({ flag, value, wanted }) => `"${value}" is not a value for ${flag}: it takes ${wanted}.`,
  () => 'See the command with --help.',
);

export const OutputUnwritable = defineError<{ path: string; why: string }>(
  'ESP_OUTPUT_UNWRITABLE',
  500,
  ({ path, why }) => `${path} cannot be written: ${why}.`,
  () => 'Check the path, the permissions and the free space.',
);

export const RuntimeRefused = defineError<{ model: string; why: string }>(
  'ESP_RUNTIME_REFUSED',
  422,
  ({ model, why }) => `ONNX Runtime does not run ${model}: ${why}.`,
  () => 'Check the model with `espalier inspect`; it may use an operator that this ONNX Runtime does not have.',
);

export const NothingPrunable = defineError<{ why: string }>(
  'ESP_NOTHING_PRUNABLE',
  422,
  ({ why }) => `The network has no channels that could be removed: ${why}.`,
  () => 'See "espalier groups MODEL"; --tied adds groups that residual connections tie together.',
);

/** What a pruning budget is counted in. */
export type CostUnit = 'macs' | 'us' | 'weights' | 'bytes';
const COSTS: Record<CostUnit, string> = {
  macs: 'multiply-accumulates',
  us: 'latency',
  weights: 'weights',
  bytes: 'bytes',
};

export const PruneBudgetMissed = defineError<{ wanted: number; nearest: number; unit: CostUnit }>(
  'ESP_PRUNE_BUDGET_MISSED',
  422,
  ({ wanted, nearest, unit }) =>
    `No widths bring the network to ${percent(wanted)} of its ${COSTS[unit]}; ` + `${percent(nearest)} is the nearest.`,
  () => 'Ask for less, add --tied, or take a smaller network of the family.',
);

export const PruneDropExceeded = defineError<{ removed: number; drop: number; maxDrop: number }>(
  'ESP_PRUNE_DROP_EXCEEDED',
  422,
  ({ removed, drop, maxDrop }) =>
    `Already the step to ${percent(removed)} loses ${drop.toFixed(2)} points, more than ${maxDrop}, with every remedy.`,
  () => 'Give more labelled samples, a recipe with more epochs, or a larger --max-drop.',
);

export const OutputNotANumber = defineError<{ model: string; output: string }>(
  'ESP_OUTPUT_NOT_A_NUMBER',
  422,
  ({ model, output }) => `${model} returns NaN at its output ${output} before anything was changed.`,
  () => 'Check its weights and the preprocessing of the data; a variant cannot be compared with NaN.',
);

export const RuntimeCrashed = defineError<{ model: string; why: string }>(
  'ESP_RUNTIME_CRASHED',
  422,
  ({ model, why }) => `ONNX Runtime broke down while it loaded and tried ${model}: ${why}.`,
  () => 'Export the model again; if it is sound, report it to ONNX Runtime.',
);

export const GradientMissing = defineError<{ node: string; op: string; why: string }>(
  'ESP_GRADIENT_MISSING',
  422,
  ({ node, op, why }) => `${node} (${op}) cannot be trained: ${why}.`,
  () => 'Train without it: prune with --no-train, or replace the operator before the export.',
);

export const NothingTrainable = defineError<{ model: string }>(
  'ESP_NOTHING_TRAINABLE',
  422,
  ({ model }) => `${model} has no weights that training could change.`,
  () => 'Give the float model; a quantized one keeps its weights as whole numbers.',
);

export const TrainingFailed = defineError<{ why: string }>(
  'ESP_TRAINING_FAILED',
  500,
  ({ why }) => `The training ended before its time: ${why}.`,
  () => 'Start it again: it goes on at its last checkpoint. With too little memory, take a smaller batch.',
);

export const TrainingDiverged = defineError<{ step: number; epoch: number }>(
  'ESP_TRAINING_DIVERGED',
  422,
  ({ step, epoch }) => `The loss was no number from step ${step} of epoch ${epoch} on, and no earlier epoch was whole.`,
  () => 'Take a smaller learning rate, or clip the gradient shorter (optimizer.rate, optimizer.clipNorm).',
);

export const TeacherUnfit = defineError<{ why: string }>(
  'ESP_TEACHER_UNFIT',
  422,
  ({ why }) => `The teacher does not fit the network it should teach: ${why}.`,
  () => 'Give a teacher with the same inputs and classes, and name values that it has.',
);

export const RecipeInvalid = defineError<{ file: string; why: string; known: string }>(
  'ESP_RECIPE_INVALID',
  422,
  ({ file, why }) => `${file} is no training recipe: ${why}.`,
  ({ known }) => `Take one of ours (${known}), or copy and edit it; docs/training.md has every field.`,
);

export const LatencyTableUnfit = defineError<{ file: string; why: string }>(
  'ESP_LATENCY_TABLE_UNFIT',
  422,
  ({ file, why }) => `The latency table ${file} cannot be used: ${why}.`,
  () => 'Measure one for this model and profile with "espalier profile-ops".',
);

export const ExitUnfit = defineError<{ value: string; why: string; known: string }>(
  'ESP_EXIT_UNFIT',
  422,
  ({ value, why }) => `An early exit cannot stand at ${value}: ${why}.`,
  ({ known }) => `Name a feature map that all later layers are computed from: ${known}.`,
);

export const StagesUnfit = defineError<{ file: string; why: string }>(
  'ESP_STAGES_UNFIT',
  422,
  ({ file, why }) => `The staged network cannot be used: ${file}: ${why}.`,
  () => 'Write it again with "espalier exits"; stages.json and its files belong together.',
);

export const BinaryUnfit = defineError<{ node: string; channels: number; filters: number }>(
  'ESP_BINARY_UNFIT',
  422,
  ({ node, channels, filters }) =>
    `${node} cannot run in the binary kernel: it has ${channels} input channels and ${filters} filters.`,
  () => 'Channels must be a multiple of 32 and filters a multiple of 8; leave the layer as it is.',
);

export const NothingBinarizable = defineError<{ model: string }>(
  'ESP_NOTHING_BINARIZABLE',
  422,
  ({ model }) => `${model} has no inner convolution with a window that could see signs only.`,
  () => 'Signs pay in dense convolutions alone; train this network without "binarize".',
);
