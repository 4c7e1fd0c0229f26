/**
 * ONNX Runtime 1.29 and newer report model names, hashes and timings to their maker unless this is set when the library
 * loads, so this module is imported before it. What a fleet runs is nobody else's business.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
