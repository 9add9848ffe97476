/** The thread that waits for the disk, so that nobody else does. One message in, one message out: a batch. */
import { parentPort, workerData } from 'node:worker_threads'
import { failed, runBatch, type StoreRequest } from './batch.ts'
import { Store } from './store.ts'

export interface ThreadData {
  readonly path: string
  /** Bytes; 0: no bound but the disk's. */
  readonly largest: number
}

const { path, largest }: ThreadData = workerData
const port = parentPort!

try {
  const store = new Store(path, largest)
  port.on('message', (requests: readonly StoreRequest[] | null) => {
    if (requests !== null) return port.postMessage(runBatch(store, requests, Date.now(), path))
    store.close()
    port.close()
  })
  port.postMessage(null)
} catch (error) {
  port.postMessage(failed(error, path))
  port.close()
}
