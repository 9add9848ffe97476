/** Signals, and the letters of the site's pipes: what they mean is put among the commands. */
import type { SitePlan } from '../site/plan.ts'
import type { Commands } from './commands.ts'
import { type Fifo, openFifo } from './fifo.ts'
import { type Meanings, SIGNALS } from './guise.ts'
import type { Logger } from './logger.ts'

export class Signals {
  readonly #commands: Commands
  readonly #caught = new Set<string>()
  readonly #fifos: Fifo[] = []
  #meanings: Meanings = SIGNALS.portico

  /** Until a site says something else, signals mean what they do to Portico. */
  constructor(commands: Commands) {
    this.#commands = commands
    this.#catch(SIGNALS.portico)
  }

  /** From now on signals mean what the site says; and letters in its pipes. */
  listenTo({ signals, fifo }: SitePlan, logger: Logger): void {
    this.#meanings = SIGNALS[signals]
    this.#catch(this.#meanings)
    for (const path of fifo) {
      const heard: Parameters<typeof openFifo>[1] = (meaning, letter) =>
        this.#commands.heard(meaning, `${letter} in ${path}`)
      this.#fifos.push(openFifo(path, heard, logger))
    }
  }

  close(): void {
    for (const signal of this.#caught) process.off(signal, this.#heard)
    for (const fifo of this.#fifos) fifo.close()
  }

  #catch(meanings: Meanings): void {
    for (const signal of Object.keys(meanings)) {
      if (this.#caught.has(signal)) continue
      this.#caught.add(signal)
      process.on(signal, this.#heard)
    }
  }

  readonly #heard = (signal: string): void => {
    const meaning = this.#meanings[signal]
    if (meaning !== undefined) {
      this.#commands.heard(meaning, `signal ${signal.replace('SIG', '')}`)
    }
  }
}
