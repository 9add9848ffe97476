# frozen_string_literal: true

require_relative 'frames'

module Portico
  # Checks the status and the headers of an answer and encodes them for the link, once: applications
  # answer with the same few heads over and over.
  module Head
    # status, flags, declared: the Content-Length or -1, chunked: the body comes encoded so, text: as the
    # link has it.
    Encoded = Struct.new(:status, :flags, :declared, :chunked, :text)

    # Heads remembered; when full the memory starts anew. Larger heads are not kept.
    MOST_HEADS = 1024
    LARGEST_REMEMBERED = 2048

    # Fields that belong to one connection, which is the server's (RFC 9110 §7.6.1).
    HOP_BY_HOP = %w[
      connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade
    ].to_h { |name| [name, true] }.freeze

    NAME = /\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/n.freeze
    CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/n.freeze

    @known = {}

    module_function

    # Raises ArgumentError of what Rack forbids.
    def encode(status, headers)
      return check(status, headers) unless headers.is_a?(Hash)

      known = @known[[status, headers]]
      return known if known

      head = check(status, headers)
      if head.text.bytesize <= LARGEST_REMEMBERED
        @known.clear if @known.size >= MOST_HEADS
        @known[[status, headers.dup]] = head
      end
      head
    end

    def check(status, headers)
      raise ArgumentError, "the headers must respond to each: #{headers.inspect}" unless headers.respond_to?(:each)

      code = Integer(status.to_s, 10, exception: false)
      raise ArgumentError, "bad status #{status.inspect}: a number from 200 on" unless code&.between?(200, 999)

      head = Encoded.new(code, 0, -1, false, String.new("\r\n"))
      headers.each { |name, value| add(head, name.to_s, value) }
      head.declared = -1 if code == 204 || head.chunked # RFC 9110 §8.6, RFC 9112 §6.1
      head
    end

    # Several values are an array in Rack 3, lines in Rack 2.
    def add(head, name, value)
      # What middleware tells the server; none of it is for visitors.
      return if value.nil? || name.start_with?('rack.')
      raise ArgumentError, "bad header name #{name.inspect}" unless NAME.match?(name.b)

      lower = name.downcase
      return if HOP_BY_HOP[lower]

      values = value.is_a?(Array) ? value : value.to_s.b.split("\n", -1)
      values = [''] if values.empty?
      values.each { |one| add_one(head, name, lower, one.to_s.b) }
    end

    def add_one(head, name, lower, value)
      raise ArgumentError, "control character in header #{name.inspect}" if CONTROL.match?(value)

      case lower
      when 'content-length' then return head.declared = declared(value, head.declared)
      when 'transfer-encoding' then return head.chunked = chunked(value)
      when 'date' then head.flags |= Frames::HAS_DATE
      when 'server' then head.flags |= Frames::HAS_SERVER
      end
      head.text << name.b << ': ' << value << "\r\n"
    end

    def declared(value, before)
      raise ArgumentError, "bad Content-Length #{value.inspect}" unless /\A[0-9]{1,18}\z/.match?(value)
      raise ArgumentError, "two Content-Lengths: #{before} and #{value}" if before >= 0 && before != value.to_i

      value.to_i
    end

    def chunked(value)
      case value.downcase
      when 'identity' then false
      when 'chunked' then true
      else raise ArgumentError, "Transfer-Encoding #{value.inspect} is the server's to choose"
      end
    end
  end
end
