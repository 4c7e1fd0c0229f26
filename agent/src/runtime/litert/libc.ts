/** What Node has no call for: memory and pipes that two processes share, and an end together. */
import type { Koffi } from './library.js';

export interface Libc {
  /** Maps the bytes of a file, shared with whoever else opens it. @returns their address [mmap(2)] */
  share(fd: number, bytes: number): bigint;
  /** @throws when it is there already [mkfifo(3)] */
  makePipe(file: string): void;
  /** Kills this process when the thread that started it ends [prctl(2), PR_SET_PDEATHSIG]. @param pid of its process */
  dieWithParent(pid: number): void;
}

const READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

export function libc(koffi: Koffi): Libc {
  const library = koffi.load('libc.so.6');
  const mmap = library.func('void *mmap(void *at, size_t bytes, int protection, int flags, int fd, long offset)');
  const mkfifo = library.func('int mkfifo(const char *file, uint32_t mode)');
  const prctl = library.func('int prctl(int option, unsigned long value)');
  return {
    share(fd, bytes) {
      const address = BigInt.asUintN(64, mmap(null, bytes, READ_WRITE, MAP_SHARED, fd, 0) as bigint);
      if (address === MAP_FAILED) throw new Error('shared memory cannot be mapped');
      return address;
    },
    makePipe(file) {
      if (mkfifo(file, 0o600) !== 0) throw new Error(`${file} cannot be made`);
    },
    dieWithParent(pid) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (process.ppid !== pid) process.exit(1);
    },
  };
}
