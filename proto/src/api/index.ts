/**
 * The public HTTP API, below /api/v1: the schemas that the server validates with and publishes as OpenAPI, and the
 * types that the web app and other clients use. The web app has no other door.
 */
export * from './access.js';
export * from './common.js';
export * from './devices.js';
export * from './field.js';
export * from './models.js';
export * from './quality.js';
export * from './work.js';
