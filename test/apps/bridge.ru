# frozen_string_literal: true

# Every way in which Rack 2 and 3 let an application answer, and some in which they do not.
require 'digest'
require 'json'

def options(env) = env['QUERY_STRING'].split('&').to_h { |pair| pair.split('=', 2) }
def plain(body) = [200, { 'content-type' => 'text/plain' }, body.is_a?(String) ? [body] : body]

# A body whose `close` is counted.
class Pieces
  class << self
    attr_accessor :closed
  end
  self.closed = 0

  def initialize(&block) = @block = block
  def each(&block) = @block.call(block)
  def close = Pieces.closed += 1
end

class OnDisk < Pieces
  def initialize(path, from = 0)
    @path = path
    @from = from
    super() { |out| out.call(File.binread(path, nil, from)) }
  end

  def to_path = @path
end

module Doze
  def self.nap(seconds) = sleep(seconds)

  def self.spin
    loop { nil }
  end
end

def inner(what) = raise(what)

class Failure < Exception
end

BAD = {
  'status' => ['20', {}, []], 'early' => [100, {}, []], 'headers' => [200, 5, []],
  'name' => [200, { 'A b' => 'c' }, []], 'newline' => [200, { 'a' => "b\rSet-Cookie: c" }, []],
  'length' => [200, { 'content-length' => '-1' }, []],
  'lengths' => [200, { 'content-length' => %w[1 2] }, []],
  'body-number' => [200, {}, [5]], 'body-string' => [200, {}, 'text'], 'body-nil' => [200, {}, nil],
  'two' => [200, {}], 'text' => 'text', 'nothing' => nil, 'hash' => {}
}.freeze

ROUTES = {
  '/tuple' => ->(_) { plain(['one ', 'two ', '', 'three']) },
  '/environ' => lambda do |env|
    plain(env.transform_values { |value| [String, Array, TrueClass, FalseClass].include?(value.class) ? value : value.class.name }.to_json)
  end,
  '/spoil' => lambda do |env|
    env['HTTP_HOST'] << 'spoiled'
    env['SPOILED'] = 'yes'
    plain('spoiled')
  end,
  '/digest' => lambda do |env|
    found = Digest::SHA256.new
    size = 0
    while (data = env['rack.input'].read(65_536))
      found << data
      size += data.bytesize
    end
    plain("#{size} #{found.hexdigest}")
  end,
  '/input' => lambda do |env|
    input = env['rack.input']
    lines = input.each.to_a
    input.rewind
    plain([*lines, input.read(3)].to_json)
  end,
  '/log' => lambda do |env|
    env['rack.errors'].puts 'to errors'
    puts 'to stdout'
    warn 'to stderr'
    plain('ok')
  end,
  '/status' => lambda do |env|
    asked = options(env)
    [asked['status'], asked['length'] ? { 'content-length' => asked['length'] } : {}, [asked['body'].to_s]]
  end,
  '/fields' => lambda do |_|
    [200, { 'Set-Cookie' => "a=1\nb=2", 'x-list' => %w[c d], 'X-Latin' => "caf\xE9".b, 'connection' => 'close', 'x-nil' => nil,
            'rack.hijack' => -> {}, 'date' => 'Thu, 01 Jan 1970 00:00:00 GMT', 'server' => 'mine' }, ['']]
  end,
  '/one-piece' => ->(env) { plain('p' * options(env)['size'].to_i) },
  '/stream' => lambda do |env|
    left = options(env)['size'].to_i
    chunk = 's' * (options(env)['chunk'] || 65_536).to_i
    plain(Pieces.new do |out|
      while left.positive?
        out.call(left < chunk.size ? chunk[0, left] : chunk)
        left -= chunk.size
      end
    end)
  end,
  '/steps' => lambda do |_|
    plain(Pieces.new do |out|
      3.times do |number|
        sleep 0.15
        out.call("#{number};")
      end
    end)
  end,
  '/length' => lambda do |env|
    chunks = options(env)['chunks'].split(',').map { |size| 'x' * size.to_i }
    body = options(env)['list'] ? chunks : Pieces.new { |out| chunks.each(&out) }
    [200, { 'content-length' => options(env)['declared'] }, body]
  end,
  '/writer' => lambda do |_|
    plain(lambda do |stream|
      3.times do |number|
        sleep 0.15
        stream << "#{number};"
      end
      stream.close
    end)
  end,
  '/echo' => ->(_) { plain(->(stream) { stream.write(stream.read.reverse) }) },
  '/informs' => lambda do |env|
    env['rack.early_hints'].call('link' => "</a.css>; rel=preload\n</b.js>; rel=preload")
    plain('informed')
  end,
  '/chunked' => ->(_) { [200, { 'transfer-encoding' => 'chunked' }, ["5\r\nhello\r\n", "6;x=y\r\n world\r\n0\r\n\r\n"]] },
  '/chunked-not' => ->(_) { [200, { 'transfer-encoding' => 'chunked' }, ['hello']] },
  '/file' => lambda do |env|
    asked = options(env)
    [200, asked['length'] ? { 'content-length' => asked['length'] } : {}, OnDisk.new(asked['path'], asked['from'].to_i)]
  end,
  '/cleanup' => lambda do |env|
    env['rack.after_reply'] << -> { sleep 0.2; warn 'replied' } << -> { raise 'on purpose' }
    env['rack.response_finished'] << ->(*facts) { warn "cleaned up #{facts[0]['PATH_INFO']} #{facts[1]} #{facts[3].inspect}" }
    plain('first')
  end,
  '/raises' => ->(_) { inner('on purpose') },
  '/raises-object' => ->(_) { raise Failure, 'with an object' },
  '/raises-late' => lambda do |_|
    plain(Pieces.new do |out|
      out.call('some')
      raise 'later'
    end)
  end,
  '/exits' => ->(_) { exit 3 },
  '/bad' => ->(env) { BAD.fetch(options(env)['what']) },
  '/closing' => lambda do |env|
    asked = options(env)
    plain(Pieces.new do |out|
      out.call('a' * 10)
      raise 'on purpose' if asked['raise']

      asked['more'].to_i.times do
        sleep 0.02
        out.call('a' * 10)
      end
    end)
  end,
  '/closed' => ->(_) { plain(Pieces.closed.to_s) },
  '/sleep' => lambda do |env|
    Doze.nap(options(env)['seconds'].to_f)
    plain('slept')
  end,
  '/busy' => ->(_) { Doze.spin },
  '/die' => ->(_) { Process.kill('KILL', Process.pid) },
  '/pid' => ->(_) { plain(Process.pid.to_s) }
}.freeze

run(lambda do |env|
  next plain(env['PATH_INFO']) if env['HTTP_X_TELL'] == 'path'

  route = ROUTES[env['PATH_INFO']]
  route ? route.call(env) : [404, { 'content-type' => 'text/plain' }, ["nothing here\n"]]
end)
