/** The smallest fetch handler. */
export default {
  async fetch(_request: Request): Promise<Response> {
    return new Response('Hello, world!\n')
  },
}
