/**
 * The forks of a machine that are not closed. They read pages through it, and files of its image, so what it was lent and what its image lies in are given back after the last of them.
 *
 *   machine ◄─ fork ◄─ fork of the fork        closed from the left or from the right: each lets go of what is to its left when nothing to its right is open
 *
 * Invariants: a fork leaves once. One that nobody holds any more leaves when V8's collector has found that out: until then its machine copies pages for it. That moment is nobody's to
 * choose and changes nothing but memory.
 * What this does NOT do: close anything itself.
 */
type Leave = () => Promise<void>;

const dropped = new FinalizationRegistry<Leave>((leave) => void leave());

export class Heirs {
  #count = 0;
  #waiting: Leave[] = [];

  /** Forks that are not closed. */
  get count(): number {
    return this.#count;
  }

  /** A fork is made; the answer is what happens when it is closed, once. `lent`: what it was lent, which does not know the fork. */
  enter(lent: { release(): void }): Leave {
    this.#count++;
    let isOpen = true;
    return async () => {
      if (!isOpen) return;
      isOpen = false;
      lent.release();
      if (--this.#count > 0) return;
      for (const action of this.#waiting.splice(0)) await action();
    };
  }

  /** `leave` is what enter() answered for the fork. */
  static watch(fork: object, leave: Leave): void {
    dropped.register(fork, leave);
  }

  /** Now, or when the last fork has left: then whoever closed that one waits for it. */
  async afterLast(action: Leave): Promise<void> {
    if (this.#count === 0) await action();
    else this.#waiting.push(action);
  }
}
