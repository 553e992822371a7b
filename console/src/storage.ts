/** The browser's storage; where it is forbidden or full, what is kept lives as long as the page. */

class Kept {
  private readonly here = new Map<string, string>(); // what the browser did not take

  constructor(private readonly browser: () => Storage) {}

  get(name: string): string | null {
    return this.here.get(name) ?? this.ask((storage) => storage.getItem(name), null);
  }

  set(name: string, text: string): void {
    const taken = this.ask((storage) => {
      storage.setItem(name, text);
      return true;
    }, false);
    if (taken) this.here.delete(name);
    else this.here.set(name, text);
  }

  remove(name: string): void {
    this.here.delete(name);
    this.ask((storage) => storage.removeItem(name), undefined);
  }

  names(): string[] {
    return [...this.here.keys(), ...this.ask((storage) => Object.keys(storage), [])];
  }

  private ask<T>(how: (storage: Storage) => T, otherwise: T): T {
    try {
      return how(this.browser());
    } catch (error) {
      if (error instanceof DOMException) return otherwise;
      throw error;
    }
  }
}

/** Kept in this browser. */
export const local = new Kept(() => localStorage);
/** Kept in this tab. */
export const session = new Kept(() => sessionStorage);
