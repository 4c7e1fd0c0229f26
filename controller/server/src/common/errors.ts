import { defineError } from '@espalier/proto';

/** Every coded error of the controller. docs/errors.md explains them; a test compares both. */

// ------------------------------------------------------------------------------------------------ start and machine
export const ConfigInvalid = defineError<{ setting: string; reason: string; source: string }>(
  'ESP_CONFIG_INVALID',
  500,
  ({ setting, reason, source }) => `The setting ${setting} (from ${source}) is not valid: ${reason}.`,
  () => 'Correct it; `espalier-controller --help` and docs/operations.md list every setting.',
);
export const NodeTooOld = defineError<{ found: string; wanted: number }>(
  'ESP_NODE_TOO_OLD',
  500,
  ({ found, wanted }) => `Node ${found} cannot run the controller; ${wanted} or newer is needed.`,
  () => 'Start it with `npm start`, which runs it under the Node that comes with it.',
);
export const DataDirLocked = defineError<{ dataDir: string; pid: number; since: string }>(
  'ESP_DATA_DIR_LOCKED',
  409,
  ({ dataDir, pid, since }) => `The data directory ${dataDir} is in use by process ${pid}, running since ${since}.`,
  () => 'Stop that controller first, or give this one another directory with --data-dir.',
);
export const PortTaken = defineError<{ port: number; host: string; purpose: string; variable: string }>(
  'ESP_PORT_TAKEN',
  409,
  ({ port, host, purpose }) => `Port ${port} on ${host}, wanted for ${purpose}, is in use by another program.`,
  ({ variable }) => `Stop that program, or choose another port with ${variable} (0 = any free one).`,
);
export const AddressInvalid = defineError<{ host: string; purpose: string; reason: string }>(
  'ESP_ADDRESS_INVALID',
  500,
  ({ host, purpose, reason }) => `Cannot listen on ${host} for ${purpose}: ${reason}.`,
  () => 'Set ESPALIER_HOST to an address of this machine, 127.0.0.1 or 0.0.0.0.',
);
export const DiskFull = defineError<{ path: string; neededBytes: number | null; freeBytes: number | null }>(
  'ESP_DISK_FULL',
  507,
  ({ path, neededBytes, freeBytes }) =>
    `The disk that holds ${path} is full${neededBytes === null ? '' : `: ${megabytes(neededBytes)} are needed`}${freeBytes === null ? '' : `, ${megabytes(freeBytes)} are free`}.`,
  ({ path }) => `Free some space there; old variants and data sets below ${path} can be deleted in the web app.`,
);
export const DataDirUnusable = defineError<{ dataDir: string; reason: string }>(
  'ESP_DATA_DIR_UNUSABLE',
  500,
  ({ dataDir, reason }) => `The data directory ${dataDir} cannot be used: ${reason}.`,
  () => 'Make it writable for this user, or give another one with --data-dir.',
);
export const DatabaseUnreachable = defineError<{ kind: string; reason: string }>(
  'ESP_DATABASE_UNREACHABLE',
  503,
  ({ kind, reason }) => `The ${kind} database cannot be opened: ${reason}.`,
  ({ kind }) =>
    kind === 'embedded'
      ? 'Look at the log; if files of the data directory were changed by hand, restore them from a backup.'
      : 'Check DATABASE_URL, and that PostgreSQL runs and lets this user in.',
);
export const DatabaseBusy = defineError<object>(
  'ESP_DATABASE_BUSY',
  503,
  () => 'No database connection became free in time (the pool is exhausted).',
  () => 'Try again; if it stays so, look for a long transaction in the log, or use PostgreSQL with a larger pool.',
);
export const BrokerUnreachable = defineError<{ url: string; reason: string }>(
  'ESP_BROKER_UNREACHABLE',
  503,
  ({ url, reason }) => `The MQTT broker at ${url} cannot be reached: ${reason}.`,
  () => 'Check MQTT_URL, that the broker runs, and that it trusts keys/ca.crt of the data directory.',
);

// ---------------------------------------------------------------------------------------------------------- requests
export const InputInvalid = defineError<{ problems: string[] }>(
  'ESP_INPUT_INVALID',
  400,
  ({ problems }) => `The request is not valid: ${problems.join('; ')}.`,
  () => 'Correct the named fields; the OpenAPI document at /api/docs describes them.',
);
export const RequestFailed = defineError<{ status: number; reason: string }>(
  'ESP_REQUEST_FAILED',
  400,
  ({ reason }) => `${reason}.`,
  () => 'Check the address and the method; the OpenAPI document at /api/docs lists them.',
);
export const NotSignedIn = defineError<object>(
  'ESP_NOT_SIGNED_IN',
  401,
  () => 'This needs a signed-in user.',
  () => 'Sign in, or send an API token as `Authorization: Bearer`.',
);
export const SignInRefused = defineError<object>(
  'ESP_SIGN_IN_REFUSED',
  401,
  () => 'The name and password, or the link, are not valid.',
  () => 'Check them. A link works once; the controller prints a new one at every start.',
);
export const NotAllowed = defineError<{ needed: string; role: string }>(
  'ESP_NOT_ALLOWED',
  403,
  ({ needed, role }) => `This needs the role ${needed}; yours is ${role}.`,
  () => 'Ask an admin for the role, or to do it for you.',
);
export const OriginRefused = defineError<{ origin: string }>(
  'ESP_ORIGIN_REFUSED',
  403,
  ({ origin }) => `A page of ${origin} may not change anything here.`,
  () => 'Use the web app of this controller, or an API token.',
);
export const TooManyRequests = defineError<object>(
  'ESP_TOO_MANY_REQUESTS',
  429,
  () => 'Too many attempts from this address.',
  () => 'Wait a minute, then try again.',
);
export const BodyTooLarge = defineError<object>(
  'ESP_BODY_TOO_LARGE',
  413,
  () => 'The body of the request is larger than this route takes.',
  () => 'Send a smaller one; large files go through the upload routes.',
);
export const NameTaken = defineError<{ what: string; name: string }>(
  'ESP_NAME_TAKEN',
  409,
  ({ what, name }) => `There is already a ${what} named ${name}.`,
  () => 'Choose another name.',
);
export const NotFound = defineError<{ what: string; id: string }>(
  'ESP_NOT_FOUND',
  404,
  ({ what, id }) => `There is no ${what} ${id}.`,
  () => 'It may have been removed; look at the list again.',
);
export const LastAdmin = defineError<{ name: string }>(
  'ESP_LAST_ADMIN',
  409,
  ({ name }) => `${name} is the only admin and cannot be removed.`,
  () => 'Make another admin first.',
);
export const FilterInvalid = defineError<{ term: string; allowed: string[] }>(
  'ESP_FILTER_INVALID',
  400,
  ({ term, allowed }) => `The filter term ${term} is not known; known are ${allowed.join(', ')}.`,
  () => 'Use those terms, or plain words, which search in names.',
);

// ------------------------------------------------------------------------------------------------- devices, gateway
export const EnrolmentRefused = defineError<{ reason: string }>(
  'ESP_ENROLMENT_REFUSED',
  403,
  ({ reason }) => `The device may not enrol: ${reason}.`,
  () => 'Make a new enrolment token under Devices; each works once and only for a while.',
);
export const CsrInvalid = defineError<{ reason: string }>(
  'ESP_CSR_INVALID',
  400,
  ({ reason }) => `The certificate request is not valid: ${reason}.`,
  () => 'Send a PKCS #10 request in PEM for a P-256 key, signed by that key.',
);
export const DeviceUnknown = defineError<{ deviceId: string }>(
  'ESP_DEVICE_UNKNOWN',
  403,
  ({ deviceId }) => `The device ${deviceId} is not enrolled, or was removed.`,
  () => 'Enrol it again with a new token.',
);
export const PayloadInvalid = defineError<{ deviceId: string; field: string; reason: string }>(
  'ESP_PAYLOAD_INVALID',
  400,
  ({ deviceId, field, reason }) => `A message of ${deviceId} is not valid at ${field}: ${reason}.`,
  () => 'Check that agent and controller speak the same contract version; the message was left out.',
);
export const BlobNotFound = defineError<{ sha256: string }>(
  'ESP_BLOB_NOT_FOUND',
  404,
  ({ sha256 }) => `The artifact store holds no blob ${sha256}.`,
  () => 'It was deleted with its variant; roll out one that exists.',
);
export const OffsetInvalid = defineError<{ sha256: string; offset: number; totalBytes: number }>(
  'ESP_OFFSET_INVALID',
  416,
  ({ sha256, offset, totalBytes }) => `Blob ${sha256} has ${totalBytes} bytes; offset ${offset} is behind its end.`,
  () => 'Start the download of this blob again at 0.',
);

// --------------------------------------------------------------------------------------------------- field samples
export const SamplingUnfit = defineError<{ model: string; reason: string }>(
  'ESP_SAMPLING_UNFIT',
  409,
  ({ model, reason }) => `Inputs of ${model} cannot be sampled. ${reason}`,
  () => 'Only classifiers with one input of float32 or whole numbers can be.',
);
export const SamplingOff = defineError<{ deviceId: string }>(
  'ESP_SAMPLING_OFF',
  409,
  ({ deviceId }) => `The device ${deviceId} serves no model whose inputs are sampled.`,
  () => 'Nothing is to be done: the device deletes what it holds. To sample, switch it on on the page of the model.',
);
export const SampleRefused = defineError<{ deviceId: string; reason: string }>(
  'ESP_SAMPLE_REFUSED',
  400,
  ({ deviceId, reason }) => `A sample of ${deviceId} was not taken: ${reason}.`,
  () => 'If it repeats, look at the version and the clock of the agent on that device; the sample was left out.',
);
export const SampleQuota = defineError<{ deviceId: string; reason: string }>(
  'ESP_SAMPLE_QUOTA',
  429,
  ({ deviceId, reason }) => `There is no room for a sample of ${deviceId}: ${reason}.`,
  () => 'The device sends it again later. Label and delete samples, or allow more bytes on the page of the model.',
);
export const SampleUnreadable = defineError<{ id: string; reason: string }>(
  'ESP_SAMPLE_UNREADABLE',
  410,
  ({ id, reason }) => `The sample ${id} cannot be read: ${reason}.`,
  () => 'Restore keys/field-samples.key and field-samples of the data directory from a backup, or delete the sample.',
);
export const LabelUnknown = defineError<{ label: number; classes: number }>(
  'ESP_LABEL_UNKNOWN',
  400,
  ({ label, classes }) => `Class ${label} is none of the ${classes} classes of the model.`,
  () => 'Choose one of its labels, or say that the sample is not usable.',
);
export const TooFewLabels = defineError<{ found: number; needed: number }>(
  'ESP_TOO_FEW_LABELS',
  409,
  ({ found, needed }) => `A data set needs ${needed} labelled samples of the model, and there are ${found}.`,
  () => 'Label some on the page of the model first.',
);

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

// ------------------------------------------------------------------------------------------- models, data and builds
export const UploadTooLarge = defineError<{ bytesMax: number }>(
  'ESP_UPLOAD_TOO_LARGE',
  413,
  ({ bytesMax }) => `The upload is larger than ${megabytes(bytesMax)}.`,
  () => 'Raise ESPALIER_UPLOAD_LIMIT_BYTES, or put the data on the controller and register its path.',
);
export const ModelExists = defineError<{ name: string; version: string }>(
  'ESP_MODEL_EXISTS',
  409,
  ({ name, version }) => `Version ${version} of ${name} is registered already.`,
  () => 'Give another version, or leave it out to get the next number.',
);
export const ModelInUse = defineError<{ name: string; version: string }>(
  'ESP_MODEL_IN_USE',
  409,
  ({ name, version }) => `${name} ${version} has a rollout that is not over.`,
  () => 'Stop the rollout first.',
);
export const ModelNotTraced = defineError<{ model: string; why: string }>(
  'ESP_MODEL_NOT_TRACED',
  422,
  ({ model, why }) => `The channels of ${model} could not be traced: ${why}.`,
  () => 'Try `npx espalier groups` on the file, on a machine with more memory.',
);
export const DatasetFormat = defineError<object>(
  'ESP_DATASET_FORMAT',
  400,
  () => 'The upload is neither a .zip nor a .tar.gz.',
  () => 'Pack the images with their labels.csv, or an idx pair, as one of these.',
);
export const DatasetLayout = defineError<{ files: string }>(
  'ESP_DATASET_LAYOUT',
  400,
  ({ files }) => `The archive holds neither images with a labels.csv nor an idx pair; it holds ${files}.`,
  () => 'Add a labels.csv with the columns "file" and "label", paths relative to it or to a folder images beside it.',
);
export const DatasetUnsafe = defineError<{ entry: string; reason: string }>(
  'ESP_DATASET_UNSAFE',
  400,
  ({ entry, reason }) => `The archive is refused: its entry ${JSON.stringify(entry)} ${reason}.`,
  () => 'Pack plain files with relative paths, without links.',
);
export const DatasetTooLarge = defineError<{ what: string; limit: number }>(
  'ESP_DATASET_TOO_LARGE',
  413,
  ({ what, limit }) => `The archive unpacks to more than ${limit} ${what}.`,
  () => 'Upload a part of the data; some thousand samples are enough. Or register a path on the controller.',
);
export const NoProfiles = defineError<{ model: string }>(
  'ESP_NO_PROFILES',
  409,
  ({ model }) => `${model} cannot be built for the fleet: no enrolled device has a hardware profile.`,
  () => 'Enrol a device first, or name the profiles to build for.',
);
export const VariantNotReady = defineError<{ id: string; state: string }>(
  'ESP_VARIANT_NOT_READY',
  409,
  ({ id, state }) => `Variant ${id} is ${state}, so it has no artifact.`,
  () => 'Wait for its job, or build it again.',
);
export const BuildDamaged = defineError<{ file: string }>(
  'ESP_BUILD_DAMAGED',
  500,
  ({ file }) => `The file ${file} of a build changed after it was written.`,
  () => 'Check the disk and build the variant again.',
);
export const JobStillOpen = defineError<{ title: string; state: string }>(
  'ESP_JOB_NOT_RETRIABLE',
  409,
  ({ title, state }) => `The job "${title}" is ${state}; only failed and canceled jobs can be tried again.`,
  () => 'Wait for it, or cancel it first.',
);
export const NoDeviceToTime = defineError<{ profile: string }>(
  'ESP_NO_DEVICE_TO_TIME',
  409,
  ({ profile }) => `No device of profile ${profile} is online and well, so nothing can be measured on it.`,
  () => 'Bring a device of this profile online, then ask again.',
);
export const DecisionNotOpen = defineError<{ id: string; action: string }>(
  'ESP_DECISION_NOT_OPEN',
  409,
  ({ id, action }) => `Decision ${id} (${action}) asks for no answer, or has one already.`,
  () => 'Look at the story of the model: it shows what is waited for now.',
);
export const JobCanceled = defineError<{ title: string }>(
  'ESP_JOB_CANCELED',
  409,
  ({ title }) => `The job "${title}" was canceled.`,
  () => 'Try it again from its page.',
);
export const JobWorkerLost = defineError<{ title: string; reason: string }>(
  'ESP_JOB_WORKER_LOST',
  500,
  ({ title, reason }) => `The job "${title}" was given up after several attempts: ${reason}.`,
  () => 'Look for what ends its process (often memory), then try it again.',
);

// --------------------------------------------------------------------------------------------------------- rollouts
export const RolloutState = defineError<{ command: string; state: string }>(
  'ESP_ROLLOUT_STATE',
  409,
  ({ command, state }) => `A rollout that is ${state} cannot be asked to ${command}.`,
  () => 'Read the rollout again; it may have moved on in the meantime.',
);
export const NoVariantForProfile = defineError<{ model: string; profile: string }>(
  'ESP_NO_VARIANT_FOR_PROFILE',
  409,
  ({ model, profile }) => `No ready variant of ${model} is built for hardware profile ${profile}.`,
  () => 'Build one for this profile and roll out again.',
);
export const NothingToRollOut = defineError<{ model: string }>(
  'ESP_NOTHING_TO_ROLL_OUT',
  409,
  ({ model }) => `${model} has no ready variant.`,
  () => 'Build variants first: "Optimize for my fleet" on the model page.',
);
export const ExecutionTimedOut = defineError<{ silentS: number }>(
  'ESP_EXECUTION_TIMED_OUT',
  504,
  ({ silentS }) => `The device reported nothing about this rollout for ${silentS} s.`,
  () => 'Look at the device; the rollout can be resumed, which tries again.',
);
export const DeviceStayedOffline = defineError<{ hours: number }>(
  'ESP_DEVICE_STAYED_OFFLINE',
  504,
  ({ hours }) => `The device was offline for the whole time it had (${hours} h).`,
  () => 'Include it in another rollout when it is back.',
);
export const ExecutionStopped = defineError<{ reason: string }>(
  'ESP_EXECUTION_STOPPED',
  409,
  ({ reason }) => `Not offered to the device: ${reason}.`,
  () => 'Nothing is wrong with the device; start another rollout to offer it again.',
);

export const LayersUnreadable = defineError<{ format: string; why: string }>(
  'ESP_LAYERS_UNREADABLE',
  422,
  ({ format, why }) => `This is no per-layer output of ${format} for this model: ${why}.`,
  () => 'Give the file as the tool wrote it; docs/closed-loop.md names the tool and its option for each format.',
);

// ----------------------------------------------------------------------------------------------------------- sample
export const SampleRunning = defineError<object>(
  'ESP_SAMPLE_RUNNING',
  409,
  () => 'The sample journey is running already.',
  () => 'Watch it, and start it again when it is over.',
);
export const SampleFailed = defineError<{ step: string; reason: string }>(
  'ESP_SAMPLE_FAILED',
  500,
  ({ step, reason }) => `The sample journey failed at "${step}": ${reason}.`,
  () => 'The log of the controller and of the sample agent (agents/sample in the data directory) say more.',
);
