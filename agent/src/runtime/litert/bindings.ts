/** The functions of LiteRT's C interface that are called, as version 2.3.0 declares them. */
import type { LiteRt } from './library.js';

const H = 'void *';
const OUT = '_Out_ void **';
const COUNT = '_Out_ size_t *';

/** Every function returns a status; 0 is success. */
const FUNCTIONS = {
  CreateEnvironment: ['int', H, OUT],
  CreateModelFromFile: [H, 'const char *', OUT],
  CreateOptions: [OUT],
  SetOptionsHardwareAccelerators: [H, 'int'],
  CreateOpaqueOptions: ['const char *', H, H, OUT],
  AddOpaqueOptions: [H, H],
  CreateCompiledModel: [H, H, H, OUT],
  CompiledModelIsFullyAccelerated: [H, '_Out_ bool *'],
  GetModelSignature: [H, 'size_t', OUT],
  GetNumSignatureInputs: [H, COUNT],
  GetNumSignatureOutputs: [H, COUNT],
  GetSignatureInputName: [H, 'size_t', '_Out_ const char **'],
  GetSignatureOutputName: [H, 'size_t', '_Out_ const char **'],
  GetSignatureInputTensorByIndex: [H, 'size_t', OUT],
  GetSignatureOutputTensorByIndex: [H, 'size_t', OUT],
  GetRankedTensorType: [H, H],
  CreateTensorBufferFromHostMemory: [H, H, 'size_t', H, OUT],
  RunCompiledModel: [H, 'size_t', 'size_t', H, 'size_t', H],
} as const;

type Call = (...args: unknown[]) => unknown;

export interface Bindings {
  /** Calls a function. @throws naming it, with LiteRT's status */
  call(name: keyof typeof FUNCTIONS, ...args: unknown[]): void;
  /** Calls a function whose last argument receives a handle, a count, a truth or a text. */
  get<T>(name: keyof typeof FUNCTIONS, ...args: unknown[]): T;
  /** A copy of a text that LiteRT frees, and the function by which it does. */
  ownedText(text: string): readonly [text: unknown, free: unknown];
  address(memory: unknown): bigint;
}

const RTLD_NOW = 2;
const RTLD_NODELETE = 0x1000;

export function bind({ koffi, file }: LiteRt): Bindings {
  const libc = koffi.load('libc.so.6');
  // Unloading the library ends the process: it is never unloaded.
  libc.func('void *dlopen(const char *file, int flags)')(file, RTLD_NOW | RTLD_NODELETE);
  const library = koffi.load(file);
  const calls = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, args]) => [name, library.func(`int LiteRt${name}(${args.join(', ')})`)]),
  ) as Record<string, Call>;
  const strdup = libc.func('void *strdup(const char *text)');
  const free = libc.symbol('free', 'void');
  const call: Bindings['call'] = (name, ...args) => {
    const status = calls[name]!(...args);
    if (status !== 0) throw new Error(`LiteRt${name} gave status ${String(status)}`);
  };
  return {
    call,
    get<T>(name: keyof typeof FUNCTIONS, ...args: unknown[]): T {
      const out: [unknown] = [null];
      call(name, ...args, out);
      return out[0] as T;
    },
    ownedText: (text) => [strdup(text), free],
    address: (memory) => koffi.address(memory),
  };
}
