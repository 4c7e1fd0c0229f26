/** What is used of the WebAssembly JavaScript Interface: the type library of this project has no browser in it. */
export {};

declare global {
  namespace WebAssembly {
    class Memory {
      constructor(limits: { initial: number });
      readonly buffer: ArrayBuffer;
    }
    class Module {
      constructor(bytes: Uint8Array<ArrayBuffer>);
    }
    class Instance {
      constructor(module: Module, imports: Record<string, Record<string, unknown>>);
      readonly exports: Record<string, unknown>;
    }
  }
}
