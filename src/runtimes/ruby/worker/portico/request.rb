# frozen_string_literal: true

require 'stringio'
require_relative 'frames'

module Portico
  # Makes the environment of a request, as Rack 2 and Rack 3 specify it, from a REQUEST frame.
  #
  # Visitors send the same header block with request after request: what a block decodes to is kept.
  class Request
    include Frames

    # Header blocks remembered; when full the memory starts anew. Longer ones are not kept.
    MOST_BLOCKS = 512
    LONGEST_BLOCK = 4096

    LINE = %w[
      REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING REQUEST_URI SERVER_PROTOCOL REMOTE_ADDR
      REMOTE_PORT SERVER_NAME SERVER_PORT rack.url_scheme CONTENT_LENGTH
    ].freeze

    # Never from a visitor: CONTENT_LENGTH has a place of its own, HTTP_PROXY would be taken for the
    # variable that names a proxy (CVE-2016-5385).
    NEVER = %w[HTTP_CONTENT_LENGTH HTTP_CONTENT_TYPE HTTP_PROXY].freeze

    def initialize(workers)
      @known = {}
      @base = {
        'SERVER_SOFTWARE' => 'Portico',
        'rack.version' => [1, 3].freeze,
        'rack.errors' => $stderr,
        'rack.multithread' => false,
        'rack.multiprocess' => workers > 1,
        'rack.run_once' => false,
        'rack.hijack?' => false
      }.freeze
    end

    # The request's line, its environment but for the body, and the body. Only the line when that has not
    # the values of an environment: a NUL in its path.
    def read(flags, payload)
      raise Garbage, "a request of #{payload.bytesize} bytes" if payload.bytesize < 8

      line_size, fields_size = payload.unpack('VV')
      body_at = 8 + line_size + fields_size
      raise Garbage, 'a request whose parts are longer than itself' if body_at > payload.bytesize
      raise Garbage, "a request with flags #{flags}, which no Rack worker takes" if (flags & ~SPOOLED).positive?

      line = payload.byteslice(8, line_size)
      shared = decode(payload.byteslice(8 + line_size, fields_size))
      values = line.split("\0", -1)
      return line if values.size != LINE.size

      [line, environment(values, shared), payload.byteslice(body_at..)]
    end

    # The body as an IO: of the bytes, or of the file that they name. Raises where that is gone.
    def self.open_body(flags, bytes)
      (flags & SPOOLED).zero? ? StringIO.new(bytes) : File.open(bytes, 'rb')
    end

    private

    def environment(values, shared)
      env = @base.dup
      # Copies: what an application does to a string must not reach the next request.
      shared.each { |name, value| env[name] = value.dup }
      LINE.each_with_index { |name, index| env[name] = values[index] }
      Request.name(env)
      env.delete('CONTENT_LENGTH') if env['CONTENT_LENGTH'].empty?
      env['HTTPS'] = 'on' if env['rack.url_scheme'] == 'https'
      env['PATH_INFO'] = Request.encoded_path(env['REQUEST_URI'], env['SCRIPT_NAME'], env['PATH_INFO'])
      env['SCRIPT_NAME'] = Request.encode(env['SCRIPT_NAME'])
      env['rack.after_reply'] = []
      env['rack.response_finished'] = []
      env
    end

    def decode(fields)
      @known[fields] || learn(fields)
    end

    def learn(fields)
      words = fields.split("\0", -1)
      raise Garbage, 'a header block with a name but no value' if words.size.odd?

      decoded = words.each_slice(2).to_h
      NEVER.each { |name| decoded.delete(name) }
      if fields.bytesize <= LONGEST_BLOCK
        @known.clear if @known.size >= MOST_BLOCKS
        @known[fields] = decoded
      end
      decoded
    end

    class << self
      # What the request is called, where requests have names: it comes behind CONTENT_LENGTH.
      def name(env)
        length, trace, id = env['CONTENT_LENGTH'].split(/ /, -1)
        return if id.nil?

        env['CONTENT_LENGTH'] = length
        env['HTTP_TRACEPARENT'] = trace
        env['HTTP_X_REQUEST_ID'] = id
      end

      # PATH_INFO as Ruby's servers give it and its frameworks want it: percent-encoded. As the visitor
      # wrote it where that is the path which the server has checked, else that path encoded anew.
      def encoded_path(uri, script, path)
        written = uri[%r{\A(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]*)}, 1]
        checked = script + path
        return path if written == checked
        if written.start_with?(script) && written.gsub(/%(\h\h)/n) { $1.hex.chr } == checked
          return written.byteslice(script.bytesize..)
        end

        encode(path)
      end

      def encode(path)
        path.gsub(%r{[^A-Za-z0-9\-._~!$&'()*+,;=:@/]}n) { |byte| format('%%%02X', byte.ord) }
      end
    end
  end
end
