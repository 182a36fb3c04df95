/**
 * A pseudo-terminal: what lies between its two sides.
 *
 *   master writes ─► line discipline ─► edit ─ end of line ─► ready ─► slave reads          (input; without ICANON straight to `ready`)
 *                          └─ echo ─┐
 *   master reads  ◄──── output ◄────┴──────── post-processing ◄─────── slave writes
 *
 * Invariants: `lines` are the lengths of whole lines at the start of `ready`, 0 for an end of file by itself; only with ICANON. `slaves` (open files
 * of the slave side) is derived, never stored. A terminal that is hung up stays so: its master is gone.
 * What this does NOT do: know processes; who is told of signals is the caller's business (`signals` of what input() answers).
 */
import type { Canonical, Undo } from '../../core/index.ts';
import { Pipe } from './pipe.ts';
import { CC, defaultSettings, LFLAG, Settings, WINDOW_BYTES } from './terminal-settings.ts';

/** TIOCPKT bits: what a master in packet mode hears of. */
export const PACKET = { FLUSHREAD: 1, FLUSHWRITE: 2, STOP: 4, START: 8, NOSTOP: 16, DOSTOP: 32 } as const;
/** Characters of one line, and what a reader without ICANON gets at once (N_TTY_BUF_SIZE). */
export const INPUT_MAX = 4095;
/** Input that nobody has read: beyond it writers of the master side wait. Linux keeps so much behind the line discipline. */
const READY_MAX = INPUT_MAX + 65_536;

export class Terminal {
  readonly number: number;
  readonly settings: Settings;
  window: Uint8Array = new Uint8Array(WINDOW_BYTES);
  /** Session that it controls and the group in its foreground; 0: none. */
  session = 0;
  foreground = 0;
  /** Until unlockpt(). */
  isLocked = true;
  /** Output is held (Ctrl-S). */
  isStopped = false;
  isHungUp = false;
  /** The slave side has been open: its end is the master's end of file. */
  hadSlave = false;
  slaves = 0;
  ready: Pipe;
  lines: number[] = [];
  edit: number[] = [];
  output: Pipe;
  /** Where the cursor is, and where it was when the line being edited began; for tabs. */
  column = 0;
  editColumn = 0;
  /** The next character is taken as it is (Ctrl-V). */
  isLiteral = false;
  /** What was erased is being shown between backslash and slash (ECHOPRT). */
  isErasing = false;
  /** TIOCEXCL: nobody else opens it. */
  isExclusive = false;
  /** TIOCPKT: what the master reads begins with a byte that says what it is; `packetStatus` are the TIOCPKT bits that it has not read yet. */
  isPacket = false;
  packetStatus = 0;
  #changes: number;
  /** Both are empty between calls: what goes to the output, and what a reader without ICANON gets. */
  #emitted: number[] = [];
  #typed: number[] = [];

  constructor(number: number, parts: { readonly settings?: Uint8Array; readonly ready?: Pipe; readonly output?: Pipe; readonly changes?: number } = {}) {
    this.number = number;
    this.settings = new Settings(parts.settings ?? defaultSettings());
    this.ready = parts.ready ?? new Pipe();
    this.output = parts.output ?? new Pipe();
    this.#changes = parts.changes ?? 0;
  }

  /** Grows with everything that may be news to a poller. */
  get changes(): number {
    return this.#changes + this.ready.changes + this.output.changes;
  }

  changed(): void {
    this.#changes++;
  }

  get isCanonical(): boolean {
    return this.settings.hasLocal(LFLAG.ICANON);
  }

  /** Bytes that the master side may write. There is always room where no line is whole: without it nobody could end it. */
  get inputRoom(): number {
    const room = READY_MAX - this.ready.length - this.#typed.length - this.edit.length;
    return this.isCanonical && this.lines.length === 0 ? Math.max(1, room) : Math.max(0, room);
  }

  /** Bytes that a read of the slave side may get, as FIONREAD tells. */
  get readableBytes(): number {
    return this.isCanonical ? this.lines[0] ?? 0 : Math.min(this.ready.length, INPUT_MAX);
  }

  /** Bytes of a slave's read must be at least so many, without ICANON. */
  #least(length: number): number {
    return Math.min(this.settings.control(CC.MIN), length);
  }

  /** VTIME: with it a read without ICANON is content with one byte. */
  get waitTenths(): number {
    return this.isCanonical ? 0 : this.settings.control(CC.TIME);
  }

  /** Tenths of a second after which a read without any byte gives up; 0: never. */
  get giveUpTenths(): number {
    return this.settings.control(CC.MIN) === 0 ? this.waitTenths : 0;
  }

  /** Whether poll says readable on the slave side. */
  get isReadable(): boolean {
    if (this.isCanonical) return this.lines.length > 0;
    return this.ready.length > 0 && this.ready.length >= (this.waitTenths > 0 ? 1 : this.#least(INPUT_MAX));
  }

  /** What a read of the slave side gets; undefined: it must wait. `isLate`: it has waited as long as VTIME says. */
  take(length: number, isLate: boolean): Uint8Array | undefined {
    if (this.isCanonical) return this.#takeLine(length);
    const least = this.#least(length);
    const needs = this.waitTenths === 0 ? least : least === 0 && isLate ? 0 : 1;
    return this.ready.length < needs ? undefined : this.ready.shift(Math.min(length, INPUT_MAX));
  }

  #takeLine(length: number): Uint8Array | undefined {
    const [line] = this.lines;
    if (line === undefined) return undefined;
    const bytes = this.ready.shift(Math.min(line, length));
    if (bytes.length === line) this.lines.shift();
    else this.lines[0] = line - bytes.length;
    this.changed();
    return bytes;
  }

  /** Characters on their way to the output, in one piece. */
  emit(...chars: readonly number[]): void {
    this.#emitted.push(...chars);
  }

  /** Characters of input as they are, without ICANON, in one piece. */
  keep(...chars: readonly number[]): void {
    this.#typed.push(...chars);
  }

  /** What was emitted is there for the master, and what was kept for the slave. */
  flushEmitted(): void {
    this.output.push(Uint8Array.from(this.#emitted));
    this.ready.push(Uint8Array.from(this.#typed));
    this.#emitted = [];
    this.#typed = [];
  }

  /** A line ends: what was edited can be read. */
  endLine(): void {
    this.ready.push(Uint8Array.from(this.edit));
    this.lines.push(this.edit.length);
    this.edit = [];
    this.changed();
  }

  /** Something that a master in packet mode hears of; `instead` is no longer so. */
  tellMaster(status: number, instead = 0): void {
    if (this.isPacket) this.packetStatus = (this.packetStatus & ~instead) | status;
    this.changed();
  }

  /** Output stops or goes on. */
  setStopped(isStopped: boolean): void {
    if (isStopped !== this.isStopped) this.tellMaster(isStopped ? PACKET.STOP : PACKET.START, PACKET.STOP | PACKET.START);
    this.isStopped = isStopped;
  }

  /** Other settings; what was typed is there in the other mode too. */
  configure(settings: Uint8Array): void {
    const [wasCanonical, wasFlow] = [this.isCanonical, this.settings.hasUsualFlow];
    this.settings.bytes = settings.slice();
    if (this.settings.hasUsualFlow !== wasFlow) this.tellMaster(wasFlow ? PACKET.NOSTOP : PACKET.DOSTOP, PACKET.NOSTOP | PACKET.DOSTOP);
    if (wasCanonical && !this.isCanonical) {
      if (this.edit.length > 0) this.ready.push(Uint8Array.from(this.edit));
      this.edit = [];
      this.lines = [];
    } else if (!wasCanonical && this.isCanonical && this.ready.length > 0) this.lines = [this.ready.length];
    this.changed();
  }

  flushInput(): void {
    this.#typed = [];
    this.ready.shift(this.ready.length);
    this.lines = [];
    this.edit = [];
    this.tellMaster(PACKET.FLUSHREAD);
  }

  flushOutput(): void {
    this.#emitted = [];
    this.output.shift(this.output.length);
    this.tellMaster(PACKET.FLUSHWRITE);
  }

  /** What a signal drops: output that the master side cannot see yet, as only so much has come there. */
  cutOutput(): void {
    this.#emitted = [];
    if (this.output.length > INPUT_MAX) {
      const seen = this.output.shift(this.output.length).slice(0, INPUT_MAX);
      this.output.push(seen);
    }
    this.tellMaster(PACKET.FLUSHWRITE);
  }

  mark(): Undo {
    const { settings: { bytes }, window, session, foreground, isLocked, isStopped, isHungUp, hadSlave, slaves, lines, edit, column, editColumn, isLiteral, isErasing, isExclusive, isPacket, packetStatus } = this;
    const [keptLines, keptEdit, changes, parts] = [lines.slice(), edit.slice(), this.#changes, [this.ready.mark(), this.output.mark()]];
    return () => {
      Object.assign(this, { window, session, foreground, isLocked, isStopped, isHungUp, hadSlave, slaves, column, editColumn, isLiteral, isErasing, isExclusive, isPacket, packetStatus, lines: keptLines.slice(), edit: keptEdit.slice() });
      this.settings.bytes = bytes;
      this.#changes = changes;
      for (const undo of parts) undo();
    };
  }

  state(): Canonical[] {
    return [
      this.number, this.settings.bytes, this.window, this.session, this.foreground, [this.isLocked, this.isStopped, this.isHungUp, this.hadSlave, this.isLiteral],
      this.ready.bytes(), this.ready.changes, [...this.lines], Uint8Array.from(this.edit), this.output.bytes(), this.output.changes, this.column, this.editColumn, this.#changes, ...this.#rareState(),
    ];
  }

  /** What hardly a terminal has. */
  #rareState(): Canonical[] {
    const rare = [this.isErasing, this.isExclusive, this.isPacket, this.packetStatus];
    return rare.some(Boolean) ? [rare] : [];
  }

  /** Reads what state() gave; the record's hash was verified. */
  static restore(record: readonly Canonical[]): Terminal {
    const [number, settings, window, session, foreground, flags, ready, readyChanges, lines, edit, output, outputChanges, column, editColumn, changes, rare] = record as unknown as readonly [
      number, Uint8Array, Uint8Array, number, number, readonly boolean[], Uint8Array, number, readonly number[], Uint8Array, Uint8Array, number, number, number, number, readonly [boolean, boolean, boolean, number] | undefined,
    ];
    const terminal = new Terminal(number, { settings, ready: new Pipe(ready, false, readyChanges), output: new Pipe(output, false, outputChanges), changes });
    terminal.window = window;
    terminal.session = session;
    terminal.foreground = foreground;
    [terminal.isLocked, terminal.isStopped, terminal.isHungUp, terminal.hadSlave, terminal.isLiteral] = flags as [boolean, boolean, boolean, boolean, boolean]; // Five are written.
    terminal.lines = [...lines];
    terminal.edit = [...edit];
    terminal.column = column;
    terminal.editColumn = editColumn;
    if (rare !== undefined) [terminal.isErasing, terminal.isExclusive, terminal.isPacket, terminal.packetStatus] = rare;
    return terminal;
  }
}
