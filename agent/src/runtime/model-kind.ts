/** What a file's name says of the model in it. Pure. */
import path from 'node:path';

/** What the controller names the description of the stages of a network with early exits. */
export const STAGES_FILE = 'stages.json';

/** True for the file that stands for a network with early exits. */
export const isStaged = (file: string): boolean => path.basename(file) === STAGES_FILE;

/** True for what can be laid out in advance: single graphs of ONNX Runtime's. */
export const canBeLaidOut = (file: string): boolean => !isStaged(file) && path.extname(file) !== '.tflite';
