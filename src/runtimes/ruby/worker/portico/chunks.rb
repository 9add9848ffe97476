# frozen_string_literal: true

module Portico
  # Takes the chunked coding (RFC 9112 §7.1) off a body to which the application has given it, as
  # Rack::Chunked does: how a connection carries a body is the server's to choose.
  class Chunks
    LONGEST_LINE = 4096
    SIZE = /\A(\h{1,8})[ \t]*(?:;.*)?\r\n\z/n.freeze

    def initialize
      @rest = String.new
      @left = 0
      @state = :size
    end

    def complete? = @state == :over

    # The bytes of the body that `data` brings. Raises where it is not chunked.
    def decode(data)
      @rest << data
      body = String.new
      nil while step(body)
      body
    end

    private

    # False: more must come first.
    def step(body)
      case @state
      when :data
        body << (piece = @rest.slice!(0, @left))
        @left -= piece.bytesize
        @state = :gap if @left.zero?
        @left.zero?
      when :gap
        return false if @rest.bytesize < 2

        fail_of_it if @rest.slice!(0, 2) != "\r\n"
        @state = :size
      when :size then size
      else false
      end
    end

    def size
      stop = @rest.index("\r\n")
      return false if stop.nil? && @rest.bytesize <= LONGEST_LINE

      found = SIZE.match(stop.nil? ? '' : @rest.slice!(0, stop + 2)) || fail_of_it
      @left = found[1].hex
      # Trailer fields are dropped.
      @state = @left.zero? ? :over : :data
    end

    def fail_of_it
      raise ArgumentError, 'the body is not chunked as its Transfer-Encoding says'
    end
  end
end
