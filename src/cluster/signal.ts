/**
 * Something to wait for: all who wait go on at the next wake(). After an await, look again at what you knew.
 */
export class Signal {
  #waiting: (() => void)[] = [];

  wait(): Promise<void> {
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
