/** The generated gRPC clients, service definitions and messages. Made by `npm run contract:generate`. */
export * from './gen/espalier/v1/espalier.js';
