/** `listen`: where visitors, or the web servers in front of us, connect. */
import { z } from 'zod'
import {
  type Count,
  count,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredText,
  requiredText,
  type Text,
  text,
} from '../setting-types.ts'
import { type MailType, mailType } from './mail.ts'
import { stream } from './stream.ts'
import { type ListenerTls, listenerTls } from './tls.ts'

const listener = {
  on: requiredText(
    'The address: `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/site.sock`, for http; with `uwsgi://`, `puwsgi://`, `fastcgi://` or `scgi://` before it for the web server that is in front: `uwsgi://127.0.0.1:3031`, `fastcgi://unix:/run/site.sock`. `https://:443` for TLS: see [tls.md](tls.md). `tcp://:3306`, `tls://:443` and `udp://:53` pass connections and datagrams on to a `pool`, `imap://`, `pop3://` and `smtp://` to servers that `mail.auth` names: see [streams.md](streams.md). Without a host: every interface, IPv4 and IPv6.',
    'an address such as ":8080"',
  ) as RequiredText,
  backlog: count(
    511,
    1,
    65_535,
    'Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.',
  ) as Count,
  mode: text(
    '',
    'Permissions of a unix socket’s file, as with chmod: "660". Default: everybody may connect.',
    'three digits of permissions, such as "660"',
    /^$|^0?[0-7]{3}$/,
  ) as Text,
  owner: text(
    '',
    'Whom a unix socket’s file belongs to: `www-data`, `www-data:www-data` or `:www-data`.',
    'user, user:group or :group',
    /^$|^[^:\s]*(:[^:\s]+)?$/,
  ) as Text,
  'proxy-protocol': flag(
    false,
    'Every connection begins with a PROXY protocol header, version 1 or 2, which names the visitor. One without it is closed. Only for sockets that nobody but the load balancer reaches.',
  ) as Flag,
  http2: flag(
    true,
    'HTTP/2 is spoken as well: by ALPN over TLS, and without TLS to whoever begins with it. See [http2.md](http2.md).',
  ) as Flag,
  certificate: text(
    '',
    'Of `https://`: the short form of `tls: { certificates: { cert: … } }`.',
    'a file or a folder',
  ) as Text,
  key: text('', 'And of its `key`.', 'a file') as Text,
  tls: listenerTls() as ListenerTls,
  mail: mailType() as MailType,
}

export type Listener = z.ZodUnion<
  readonly [z.ZodString, z.ZodNumber, Mapping<typeof listener & typeof stream>]
>
export type Listeners = z.ZodOptional<z.ZodUnion<readonly [Listener, z.ZodArray<Listener>]>>

export function listeners(sentence: string): Listeners {
  const error = 'an address such as ":8080", or a list of them'
  const one: Listener = z.union([z.string(), z.number(), mapping({ ...listener, ...stream })], {
    error,
  })
  return z
    .union([one, z.array(one, { error })], { error })
    .optional()
    .register(z.globalRegistry, {
      title: 'address or list',
      description: sentence,
    })
}

export type ListenSettings = z.output<Listener>
