/** What a store has of one name: its certificate, and what went wrong with it. */
import { keyOfName, type Store } from './store.ts'
import { readTrouble, type Trouble } from './trouble.ts'

export class NameRecord {
  readonly #certificate: string
  readonly #trouble: string
  /** What no store has taken yet. */
  #unsaved: string | null = null

  constructor(name: string) {
    const key = keyOfName(name)
    this.#certificate = `certificates/${key}`
    this.#trouble = `trouble/${key}`
  }

  /** Rejects where the store does not answer, or still does not take what it has to keep. */
  async read(store: Store): Promise<{ text: string | null; trouble: Trouble | null }> {
    if (this.#unsaved !== null) await this.save(store, this.#unsaved)
    const text = await store.read(this.#certificate)
    return { text, trouble: readTrouble(await store.read(this.#trouble)) }
  }

  /** A certificate ends all trouble. What is not taken is tried again at the next `read`. */
  async save(store: Store, text: string): Promise<void> {
    this.#unsaved = text
    await store.write(this.#trouble, null)
    await store.write(this.#certificate, text)
    this.#unsaved = null
  }

  async note(store: Store, trouble: Trouble | null): Promise<void> {
    await store.write(this.#trouble, trouble === null ? null : JSON.stringify(trouble))
  }
}
