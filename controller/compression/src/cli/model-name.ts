import path from 'node:path';

/** What a model is called in results: its file's name without the ending. */
export const modelName = (file: string): string => path.basename(file).replace(/\.onnx$/i, '');
