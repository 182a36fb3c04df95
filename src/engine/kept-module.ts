/**
 * WebAssembly modules that outlive their process, with the machine code that the host's optimising compiler has made of them: a later process begins with optimised code.
 * Invariants: a module with machine code means what it means without; where the host refuses it, the module is compiled anew.
 * What this does NOT do: read or write files, know V8 (live/machine-code.ts).
 */

/** Machine code that the host's compiler has made of modules, as bytes. */
export interface MachineCode {
  /** `units`: functions that the module exports. Undefined: none of them is optimised yet. */
  bytesOf(module: WebAssembly.Module, units: readonly unknown[]): Uint8Array | undefined;
  /** Undefined where the bytes are of another version of the host, or of another processor. */
  moduleOf(code: Uint8Array, bytes: Uint8Array): WebAssembly.Module | undefined;
}

/** Plain data. `code`: its machine code, as far as there was some. */
export interface KeptCode { readonly bytes: Uint8Array; readonly code: Uint8Array | undefined }

/** Functions that an instance of a module has, by slots or otherwise. */
export type Units = ReadonlyMap<number, unknown>;

/** Machine code is written again when it has grown by more than this part. */
const GROWTH_PART = 32;

export class KeptModule {
  readonly #bytes: Uint8Array;
  readonly #machineCode: MachineCode | undefined;
  #code: Uint8Array | undefined;
  #module: WebAssembly.Module | undefined;
  /** Of one that is linked, as long as it is: functions hold the memory that they work on. */
  #units: WeakRef<Units> | undefined = undefined;

  constructor({ bytes, code }: KeptCode, machineCode: MachineCode | undefined, module?: WebAssembly.Module) {
    this.#bytes = bytes;
    this.#code = code;
    this.#machineCode = machineCode;
    this.#module = module;
  }

  /** Compiled once for all processes: what the host's compiler has optimised is optimised for all. */
  get module(): WebAssembly.Module {
    return (this.#module ??= this.#open());
  }

  linked(units: Units): void {
    this.#units = new WeakRef(units);
  }

  /** With the newest machine code. */
  forKeeping(): KeptCode {
    const units = this.#units?.deref();
    if (this.#module !== undefined && units !== undefined) this.#code = this.#machineCode?.bytesOf(this.#module, [...units.values()]) ?? this.#code;
    return { bytes: this.#bytes, code: this.#code };
  }

  #open(): WebAssembly.Module {
    const bytes = this.#bytes as Uint8Array<ArrayBuffer>; // Never shared memory.
    return (this.#code === undefined ? undefined : this.#machineCode?.moduleOf(this.#code, bytes)) ?? new WebAssembly.Module(bytes);
  }
}

/** Whether machine code of so many bytes is worth writing where the files have `before`. */
export function hasGrown(bytes: number, before: number): boolean {
  return bytes > before + before / GROWTH_PART;
}

/** Of the engine's own: there is one for each size of machine. */
const MODULES_MAX = 8;

/** The engine's own modules, by names that say all that they depend on. What was kept is looked at when the first one is wanted. */
export class EngineModules {
  readonly #opened = new Map<string, KeptModule>();
  readonly #load: () => ReadonlyMap<string, KeptCode> | undefined;
  readonly #machineCode: MachineCode | undefined;
  #kept: ReadonlyMap<string, KeptCode> | undefined = undefined;

  constructor(load: () => ReadonlyMap<string, KeptCode> | undefined = () => undefined, machineCode?: MachineCode) {
    this.#load = load;
    this.#machineCode = machineCode;
  }

  /** Whether this process uses it already. */
  has(name: string): boolean { return this.#opened.has(name); }

  /** `make` gives its bytes where it is not kept. */
  open(name: string, make: () => Uint8Array): KeptModule {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    this.#kept ??= this.#load() ?? new Map<string, KeptCode>();
    for (const [first] of this.#opened) if (this.#opened.size >= MODULES_MAX) this.#opened.delete(first);
    const made = new KeptModule(this.#kept.get(name) ?? { bytes: make(), code: undefined }, this.#machineCode);
    this.#opened.set(name, made);
    return made;
  }

  /** What the files do not have yet, with what they have; undefined: they have everything, or no machine code is there. */
  news(): ReadonlyMap<string, KeptCode> | undefined {
    const before = this.#kept ?? new Map<string, KeptCode>();
    const now = new Map([...this.#opened].map(([name, one]) => [name, one.forKeeping()]));
    const isNew = [...now].some(([name, { code }]) => hasGrown(code?.length ?? 0, before.get(name)?.code?.length ?? 0));
    if (!isNew) return undefined;
    return (this.#kept = new Map([...[...before].filter(([name]) => !now.has(name)).slice(-MODULES_MAX), ...now]));
  }
}
