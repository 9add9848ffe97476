/** `container:` applications that run in containers. */
import {
  type Choice,
  type Count,
  choice,
  count,
  type RequiredText,
  requiredText,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'

export const container = {
  container: requiredText(
    'The image, such as `docker.io/library/ghost:5` or one that was built here.',
    'the name of an image',
    /^[^-\s][^\s]*$/,
  ) as RequiredText,
  command: texts(
    [],
    'What to run in place of the image’s own command, word by word.',
    'a word',
  ) as Texts,
  port: count(
    0,
    0,
    65_535,
    'The port that the application listens on in its container; it is told as PORT. Nobody but this machine reaches it. 0: it listens on `socket`.',
  ) as Count,
  socket: text(
    '',
    'The unix socket that it listens on in its container, such as /run/app/app.sock: its folder is shared with the server. For `network: none` as well.',
    'a path such as /run/app/app.sock',
    /^$|^\/[^:,]+\/[^/:,]+$/,
  ) as Text,
  protocol: choice('http', ['http', 'uwsgi', 'fastcgi'], 'What it speaks.') as Choice<
    'http' | 'uwsgi' | 'fastcgi'
  >,
  volumes: texts(
    [],
    'Files and folders that it sees: `./data:/var/lib/app`, with `:ro` only to read; or the name of a volume of the engine.',
    'a volume such as ./data:/data',
  ) as Texts,
  engine: choice(
    'auto',
    ['auto', 'podman', 'docker'],
    'What runs it. `auto`: podman where there is one, else docker.',
  ) as Choice<'auto' | 'podman' | 'docker'>,
  pull: choice('missing', ['missing', 'always', 'never'], 'When the image is fetched.') as Choice<
    'missing' | 'always' | 'never'
  >,
}
