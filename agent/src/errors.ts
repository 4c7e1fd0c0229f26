/** Every coded error of the agent. Each says what was wrong, with what, and what to do; docs/errors.md lists them. */
import { defineError } from '@espalier/proto';

type Cause = { readonly cause: string };
type Ref = { readonly path: string };

// ---- configuration and data directory
export const ConfigInvalid = defineError<{ source: string; problem: string }>(
  'ESP_CONFIG_INVALID',
  400,
  ({ source, problem }) => `The configuration from ${source} is wrong: ${problem}.`,
  () => 'Correct that setting; "espalier-agent run --help" lists all of them.',
);
export const NotEnrolled = defineError<Ref>(
  'ESP_NOT_ENROLLED',
  409,
  ({ path }) => `${path} holds no identity: this device is not enrolled.`,
  () => 'Enrol it: espalier-agent enrol URL --token TOKEN (the controller shows both under Devices).',
);
export const AlreadyEnrolled = defineError<{ path: string; deviceId: string }>(
  'ESP_ALREADY_ENROLLED',
  409,
  ({ path, deviceId }) => `${path} already holds the identity of device ${deviceId}.`,
  () => 'Choose another --data directory, or add --force to replace this identity.',
);
export const DataDirLocked = defineError<{ path: string; pid: number }>(
  'ESP_DATA_DIR_LOCKED',
  409,
  ({ path, pid }) => `Another agent (process ${pid}) already uses ${path}.`,
  () => 'Stop that process, or give this one another --data directory.',
);
export const PortTaken = defineError<{ where: string }>(
  'ESP_PORT_TAKEN',
  409,
  ({ where }) => `${where} is already in use.`,
  () => 'Stop the program that listens there, or choose another --port (0 takes any free one).',
);
export const DiskFull = defineError<{ path: string; neededBytes: number; freeBytes: number }>(
  'ESP_DISK_FULL',
  507,
  ({ path, neededBytes, freeBytes }) => `${path} has ${freeBytes} bytes free, ${neededBytes} are needed.`,
  () => 'Free some space there; the serving model and the previous one are never removed to make room.',
);

// ---- enrolment and link
export const TokenInvalid = defineError<{ problem: string }>(
  'ESP_TOKEN_INVALID',
  400,
  ({ problem }) => `The enrolment token is not usable: ${problem}.`,
  () => 'Copy the whole token from the controller (SECRET.FINGERPRINT); each one works once and expires.',
);
export const ControllerUnreachable = defineError<{ url: string; cause: string }>(
  'ESP_CONTROLLER_UNREACHABLE',
  503,
  ({ url, cause }) => `${url} did not answer as an Espalier controller: ${cause}.`,
  () => 'Check the address and that the controller is running and reachable from here.',
);
export const CaMismatch = defineError<{ url: string }>(
  'ESP_CA_MISMATCH',
  403,
  ({ url }) => `The certificate authority that ${url} shows is not the one the token names.`,
  () => 'Do not go on: check the address, and get a new token from the controller itself.',
);
export const EnrolmentRefused = defineError<{ url: string; cause: string }>(
  'ESP_ENROLMENT_REFUSED',
  403,
  ({ url, cause }) => `The controller at ${url} refused the enrolment: ${cause}.`,
  () => 'Create a new token on the controller; each one works once and expires.',
);
export const PayloadInvalid = defineError<{ what: string; problem: string }>(
  'ESP_PAYLOAD_INVALID',
  400,
  ({ what, problem }) => `${what} is not valid: ${problem}.`,
  () => 'Bring agent and controller to versions that speak the same contract.',
);

// ---- update
export const ProfileMismatch = defineError<{ wanted: string; found: string }>(
  'ESP_PROFILE_MISMATCH',
  409,
  ({ wanted, found }) => `The artifact is built for profile ${found}; this device is ${wanted}.`,
  () => 'Roll out a model that has a variant for this profile.',
);
export const ManifestMismatch = defineError<{ field: string; wanted: string; found: string }>(
  'ESP_MANIFEST_MISMATCH',
  409,
  ({ field, wanted, found }) => `The manifest says ${field} ${found}; the rollout promised ${wanted}.`,
  () => 'Publish the variant again; if it repeats, treat the artifact store as tampered with.',
);
export const SignatureInvalid = defineError<{ keyid: string }>(
  'ESP_SIGNATURE_INVALID',
  403,
  ({ keyid }) => `The manifest or order carries no valid signature of a trusted key (it names key ${keyid}).`,
  () => 'Check who signs artifacts; a device learns trusted keys at enrolment and at certificate renewal.',
);
export const TimingFailed = defineError<{ sha256: string; cause: string }>(
  'ESP_TIMING_FAILED',
  409,
  ({ sha256, cause }) => `Network ${sha256.slice(0, 12)} could not be timed: ${cause}.`,
  () => 'Let the device be idle for some minutes; the controller asks again, or another device of the profile.',
);
export const SampleDropped = defineError<Cause>(
  'ESP_SAMPLE_DROPPED',
  507,
  ({ cause }) => `A sampled input was not kept: ${cause}.`,
  () => 'Free some space on the device, or allow more bytes a device in the sampling of the model.',
);
export const ManifestExpired = defineError<{ expiresAt: string; now: string }>(
  'ESP_MANIFEST_EXPIRED',
  410,
  ({ expiresAt, now }) => `The manifest expired at ${expiresAt}; it is ${now} here.`,
  () => 'Publish the variant again for a fresh signature, or set the clock of the device.',
);
export const ReleaseRollback = defineError<{ model: string; counter: number; floor: number }>(
  'ESP_RELEASE_ROLLBACK',
  409,
  ({ model, counter, floor }) => `Release ${counter} of ${model} is older than ${floor}, which ran here already.`,
  () => 'To go back on purpose, publish the old build as a new release.',
);
export const LengthMismatch = defineError<{ file: string; wantedBytes: number; foundBytes: number }>(
  'ESP_LENGTH_MISMATCH',
  502,
  ({ file, wantedBytes, foundBytes }) => `${file} should be ${wantedBytes} bytes; the server offers ${foundBytes}.`,
  () => 'The download was stopped there. Check the artifact store of the controller.',
);
export const DigestMismatch = defineError<{ file: string; wanted: string; found: string }>(
  'ESP_DIGEST_MISMATCH',
  502,
  ({ file, wanted, found }) => `${file} should have SHA-256 ${wanted} and has ${found}.`,
  () => 'The file was discarded unread. Start the rollout again; if it repeats, check the artifact store.',
);
export const ArtifactGone = defineError<{ sha256: string; tries: number }>(
  'ESP_ARTIFACT_GONE',
  410,
  ({ sha256, tries }) => `The controller has no blob ${sha256} (asked ${tries} times).`,
  () => 'Publish the variant again.',
);
export const DownloadStalled = defineError<{ sha256: string; seconds: number; cause: string }>(
  'ESP_DOWNLOAD_STALLED',
  504,
  ({ sha256, seconds, cause }) => `Blob ${sha256} made no progress for ${seconds} s: ${cause}.`,
  () => 'Check the connection of the device; a retry goes on where this one stopped.',
);
export const SelfTestFailed = defineError<Cause>(
  'ESP_SELF_TEST_FAILED',
  422,
  ({ cause }) => `The new model failed its self-test: ${cause}.`,
  () => 'The old model goes on serving. Compare the runtime of this device with the one that built the variant.',
);
export const ShadowDiffers = defineError<Cause>(
  'ESP_SHADOW_DIFFERS',
  422,
  ({ cause }) => `The new model was compared with the one that serves, on live requests: ${cause}.`,
  () =>
    'The old model goes on serving. Evaluate the new build; publish it as another version if it should answer otherwise.',
);
export const MemoryShort = defineError<{ neededMb: number; freeMb: number }>(
  'ESP_MEMORY_SHORT',
  422,
  ({ neededMb, freeMb }) => `The new model needs about ${neededMb} MB, and ${freeMb} MB are free without the old one.`,
  () => 'The old model goes on serving. Publish a smaller build, or give the device or its cgroup more memory.',
);
export const SelfTestCrashed = defineError<{ attempts: number; cause: string }>(
  'ESP_SELF_TEST_CRASHED',
  422,
  ({ attempts, cause }) => `The self-test crashed ${attempts} times (${cause}).`,
  () => 'The old model goes on serving. The model may need more memory than the device has.',
);
export const HealthFailed = defineError<Cause>(
  'ESP_HEALTH_FAILED',
  422,
  ({ cause }) => `The new model was not healthy after the switch: ${cause}.`,
  () => 'The device went back to the previous model. Look at its log for the window after the switch.',
);
export const TooManyTransitions = defineError<{ transitions: number }>(
  'ESP_TOO_MANY_TRANSITIONS',
  422,
  ({ transitions }) => `The update went through ${transitions} states without an end.`,
  () => 'Look at the journal of the device; it restarts in the middle of updates.',
);
export const UpdateCanceled = defineError<{ why: string }>(
  'ESP_UPDATE_CANCELED',
  409,
  ({ why }) => `The update was stopped: ${why}.`,
  () => 'Nothing to do: the model from before goes on serving.',
);
export const RolledBack = defineError<{ cause: string; causeCode: string }>(
  'ESP_ROLLED_BACK',
  422,
  ({ cause }) => `The device went back to the model from before: ${cause}`,
  () => 'Fix the cause and start a new rollout.',
);
export const Degraded = defineError<Cause>(
  'ESP_DEGRADED',
  503,
  ({ cause }) => `Neither the new model nor the one from before serves: ${cause}.`,
  () => 'Roll out a model that is known to work on this profile.',
);
export const JournalStuck = defineError<{ file: string; cause: string }>(
  'ESP_JOURNAL_STUCK',
  507,
  ({ file, cause }) => `The disk does not take a record into ${file}: ${cause}.`,
  () => 'Make room there. The model goes on serving, and the update goes on by itself once records can be written.',
);
export const UpdateFault = defineError<{ state: string; cause: string }>(
  'ESP_UPDATE_FAULT',
  500,
  ({ state, cause }) => `The update failed in ${state}: ${cause}.`,
  () => 'Look at the log of the agent; it holds the stack.',
);

// ---- serving
export const ModelNotLoaded = defineError<{ model: string }>(
  'ESP_MODEL_NOT_LOADED',
  404,
  ({ model }) => `No model ${model} is served here.`,
  () => 'Ask GET /v2 for what this device serves.',
);
export const RuntimeFellBack = defineError<{ runtime: string; cause: string }>(
  'ESP_RUNTIME_FELL_BACK',
  500,
  ({ runtime, cause }) => `The model is served by ONNX Runtime, not by ${runtime}: ${cause}`,
  () => 'Requests are answered. Report it with the build and the CPU of the device; the next build is tried anew.',
);
export const RuntimeUnavailable = defineError<{ runtime: string; cause: string }>(
  'ESP_RUNTIME_UNAVAILABLE',
  501,
  ({ runtime, cause }) => `${runtime} cannot be used on this device: ${cause}.`,
  ({ runtime }) =>
    runtime === 'LiteRT'
      ? 'Put koffi and the libLiteRt.so of ai-edge-litert 2.3.0 in /usr/lib/espalier-litert or the folder named by ESPALIER_LITERT (docs/serving.md), or serve the .onnx build.'
      : 'Serve the .onnx build of the model.',
);
export const ModelLoadFailed = defineError<{ file: string; cause: string }>(
  'ESP_MODEL_LOAD_FAILED',
  422,
  ({ file, cause }) => `${file} does not load: ${cause}.`,
  () => 'Check that it is an ONNX model that this runtime version supports.',
);
export const RequestInvalid = defineError<{ problem: string }>(
  'ESP_REQUEST_INVALID',
  400,
  ({ problem }) => `The request is not valid: ${problem}.`,
  () => 'Compare it with the metadata at GET /v2/models/MODEL.',
);
export const RouteNotFound = defineError<{ method: string; path: string }>(
  'ESP_ROUTE_NOT_FOUND',
  404,
  ({ method, path }) => `There is no ${method} ${path} here.`,
  () => 'The agent speaks the Open Inference Protocol; see docs/agent.md.',
);
export const BodyTooLarge = defineError<{ limitBytes: number }>(
  'ESP_BODY_TOO_LARGE',
  413,
  ({ limitBytes }) => `The request is larger than ${limitBytes} bytes.`,
  () => 'Send smaller batches, or raise maxBodyBytes in the configuration of the agent.',
);
export const QueueFull = defineError<{ limit: number }>(
  'ESP_QUEUE_FULL',
  503,
  ({ limit }) => `${limit} requests are waiting already.`,
  () => 'Send more slowly and try again in a moment.',
);
export const InferenceFailed = defineError<Cause>(
  'ESP_INFERENCE_FAILED',
  500,
  ({ cause }) => `The model could not be run: ${cause}.`,
  () => 'Compare shapes and types of the inputs with the metadata of the model.',
);
export const WorkerGone = defineError<Cause>(
  'ESP_WORKER_GONE',
  503,
  ({ cause }) => `The thread that runs the model ended: ${cause}.`,
  () => 'The agent opens the model again; repeat the request.',
);
export const WorkerHung = defineError<{ seconds: number }>(
  'ESP_WORKER_HUNG',
  503,
  ({ seconds }) => `The thread that runs the model has not answered for ${seconds} s and was given up.`,
  () => 'The model is opened on another thread; repeat the request. If it happens again, the model may not end.',
);
export const DeadlineExceeded = defineError<{ waitedMs: number }>(
  'ESP_DEADLINE_EXCEEDED',
  504,
  ({ waitedMs }) => `The request waited ${waitedMs} ms and could not be answered in its time any more; it was not run.`,
  () => 'Send more slowly, or give the request a longer timeout.',
);
export const Overloaded = defineError<{ retryAfterMs: number }>(
  'ESP_OVERLOADED',
  429,
  ({ retryAfterMs }) => `The requests that wait already leave no time for this one; in ${retryAfterMs} ms they may.`,
  () => 'Try again after that time, or send more slowly.',
);
export const RegionUnknown = defineError<{ region: string }>(
  'ESP_REGION_UNKNOWN',
  400,
  ({ region }) => `No shared memory region ${region} is registered.`,
  () => 'Register it first: POST /v2/systemsharedmemory/region/NAME/register.',
);
export const ImageRefused = defineError<Cause>(
  'ESP_IMAGE_REFUSED',
  415,
  ({ cause }) => `The image cannot be classified here: ${cause}.`,
  () => 'Send a JPEG or PNG to a model that was built with preprocessing, or send tensors.',
);
export const BenchRefused = defineError<Cause>(
  'ESP_BENCH_REFUSED',
  400,
  ({ cause }) => `The benchmark cannot be run: ${cause}.`,
  () => 'See espalier-agent bench --help.',
);
