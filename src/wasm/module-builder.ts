/**
 * Builds one WebAssembly module's bytes (core specification, binary format 5.5): types, imports, functions, exports, element segment, code.
 * Function indices count imported functions first; add all imports before the first function.
 * What this does NOT do: validate, execute, or know what the code means.
 */
import { assert } from '../core/index.ts';
import { TYPE, type ValueType } from './opcodes-table.ts';
import { ByteWriter, CodeWriter } from './writer.ts';

const SECTION = { type: 1, import: 2, function: 3, table: 4, memory: 5, global: 6, export: 7, element: 9, code: 10 } as const;
const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;

export interface Signature { readonly parameters: readonly ValueType[]; readonly results: readonly ValueType[] }
/** Runs of locals of one type after the parameters. */
export type LocalRun = readonly [count: number, type: ValueType];

export class ModuleBuilder {
  readonly #types = new ByteWriter();
  readonly #typeIndices = new Map<string, number>();
  readonly #imports = new ByteWriter();
  #importCount = 0;
  #importedFunctions = 0;
  readonly #functions: number[] = [];
  readonly #exports = new ByteWriter();
  #exportCount = 0;
  readonly #elements: { readonly offset: number; readonly functions: readonly number[] }[] = [];
  readonly #code = new ByteWriter();
  /** Function index → hints of its branches, offsets counted from the body's start. */
  readonly #hints: { readonly functionIndex: number; readonly offset: number; readonly hints: readonly number[] }[] = [];
  #bodies = 0;

  /** Index of a function type; equal signatures share one. */
  type(signature: Signature): number {
    const key = `${signature.parameters.join()}:${signature.results.join()}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    this.#types.byte(0x60);
    for (const list of [signature.parameters, signature.results]) {
      this.#types.u32(list.length);
      this.#types.bytes(list);
    }
    const index = this.#typeIndices.size;
    this.#typeIndices.set(key, index);
    return index;
  }

  #import(module: string, name: string, kind: number): void {
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.byte(kind);
    this.#importCount++;
  }

  importFunction(module: string, name: string, signature: Signature): number {
    assert(this.#functions.length === 0, 'imports come before functions');
    const type = this.type(signature);
    this.#import(module, name, KIND.function);
    this.#imports.u32(type);
    return this.#importedFunctions++;
  }

  /** Sizes in 64 KiB pages. */
  importMemory(module: string, name: string, pages: { readonly minimum: number; readonly maximum: number }): void {
    this.#import(module, name, KIND.memory);
    this.#imports.byte(1);
    this.#imports.u32(pages.minimum);
    this.#imports.u32(pages.maximum);
  }

  importTable(module: string, name: string, minimum: number): void {
    this.#import(module, name, KIND.table);
    this.#imports.byte(TYPE.funcref);
    this.#imports.byte(0);
    this.#imports.u32(minimum);
  }

  importGlobal(module: string, name: string, type: ValueType, isMutable: boolean): void {
    this.#import(module, name, KIND.global);
    this.#imports.byte(type);
    this.#imports.byte(isMutable ? 1 : 0);
  }

  /** Reserves the index of a function whose code comes later; bodies are added in the order of declaration. */
  declareFunction(signature: Signature): number {
    this.#functions.push(this.type(signature));
    return this.#importedFunctions + this.#functions.length - 1;
  }

  /** The body of the next declared function. */
  addBody(locals: readonly LocalRun[], code: CodeWriter): void {
    const head = new ByteWriter();
    head.u32(locals.length);
    for (const [count, type] of locals) {
      head.u32(count);
      head.byte(type);
    }
    if (code.hints.length > 0) this.#hints.push({ functionIndex: this.#importedFunctions + this.#bodies, offset: head.length, hints: code.hints });
    this.#bodies++;
    this.#code.u32(head.length + code.length + 1);
    this.#code.bytes(head.view());
    this.#code.bytes(code.view());
    this.#code.byte(0x0b);
  }

  exportFunction(name: string, functionIndex: number): void {
    this.#exports.name(name);
    this.#exports.byte(KIND.function);
    this.#exports.u32(functionIndex);
    this.#exportCount++;
  }

  /** Fills the imported table from `offset` with functions when the module is instantiated. */
  element(offset: number, functions: readonly number[]): void {
    this.#elements.push({ offset, functions });
  }

  /** The module's bytes. */
  finish(): Uint8Array {
    const out = new ByteWriter();
    out.bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    section(out, SECTION.type, this.#typeIndices.size, this.#types);
    section(out, SECTION.import, this.#importCount, this.#imports);
    const functions = new ByteWriter();
    for (const type of this.#functions) functions.u32(type);
    section(out, SECTION.function, this.#functions.length, functions);
    section(out, SECTION.export, this.#exportCount, this.#exports);
    section(out, SECTION.element, this.#elements.length, this.#encodeElements());
    if (this.#hints.length > 0) this.#writeHints(out);
    section(out, SECTION.code, this.#functions.length, this.#code);
    return out.view().slice();
  }

  /** The custom section of the branch hinting proposal: engines that do not know it pass over it. */
  #writeHints(out: ByteWriter): void {
    const content = new ByteWriter();
    content.name('metadata.code.branch_hint');
    content.u32(this.#hints.length);
    for (const { functionIndex, offset, hints } of this.#hints) {
      content.u32(functionIndex);
      content.u32(hints.length / 2);
      for (let index = 0; index < hints.length; index += 2) {
        content.u32(hints[index]! + offset);
        content.u32(1);
        content.byte(hints[index + 1]!);
      }
    }
    out.byte(0);
    out.u32(content.length);
    out.bytes(content.view());
  }

  #encodeElements(): ByteWriter {
    const writer = new CodeWriter();
    for (const { offset, functions } of this.#elements) {
      writer.byte(0);
      writer.i32Const(offset);
      writer.end();
      writer.u32(functions.length);
      for (const index of functions) writer.u32(index);
    }
    return writer;
  }
}

function section(out: ByteWriter, id: number, count: number, content: ByteWriter): void {
  if (count === 0) return;
  const head = new ByteWriter();
  head.u32(count);
  out.byte(id);
  out.u32(head.length + content.length);
  out.bytes(head.view());
  out.bytes(content.view());
}
