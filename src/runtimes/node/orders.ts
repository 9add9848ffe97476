/** What the warm parent and a worker tell each other: JSON lines, both ways, on the worker's descriptor 3. */
import type { NodeAppPlan } from '../../site/plan.ts'

/** In the variable of its environment that `start-variable.mjs` names, as JSON. */
export interface WorkerStart {
  readonly app: NodeAppPlan
  /** Every server thread's socket. */
  readonly links: readonly string[]
}

export type ToWorker =
  /** Connect to the server as the worker of this slot. */
  | { readonly type: 'serve'; readonly slot: number }
  /** Finish what is in hand, then exit. */
  | { readonly type: 'retire' }
  /** Write the stack of the main thread to stderr, however stuck it is. It goes on. */
  | { readonly type: 'traceback' }
  /** From the thread beside it: the main thread is to say that it is awake, and what it waits for. */
  | { readonly type: 'look' }

export type FromWorker =
  /** The module is loaded, and it is known how it answers. */
  | { readonly type: 'loaded' }
  /** It cannot be served; the worker exits. */
  | { readonly type: 'failed'; readonly detail: string }
