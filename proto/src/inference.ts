/** The generated messages and service of the Open Inference Protocol. Made by `npm run contract:generate`. */
export * from './gen/inference/inference.js';
