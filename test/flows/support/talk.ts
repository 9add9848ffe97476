/** A WebSocket of the standard's own client, for talking to whatever serves. */

export interface Talk {
  readonly socket: WebSocket
  readonly messages: (string | Buffer)[]
  /** Resolves when it is closed. */
  readonly closed: Promise<{ code: number; reason: string }>
  /** Resolves as soon as `count` messages have come. */
  heard(count: number): Promise<void>
}

/** Rejects when it is refused. */
export async function talk(url: string, protocols: readonly string[] = []): Promise<Talk> {
  const socket = new WebSocket(url, [...protocols])
  socket.binaryType = 'arraybuffer'
  const messages: (string | Buffer)[] = []
  let watch = (): void => {}
  socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
    messages.push(typeof data === 'string' ? data : Buffer.from(data))
    watch()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error('the WebSocket was refused')))
  })
  return {
    socket,
    messages,
    closed,
    heard: (count) =>
      new Promise((resolve) => {
        watch = () => {
          if (messages.length >= count) resolve()
        }
        watch()
      }),
  }
}
