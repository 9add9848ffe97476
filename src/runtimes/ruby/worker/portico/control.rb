# frozen_string_literal: true

require 'json'

module Portico
  # The control channel to the supervisor: JSON lines on descriptor 3, both ways.
  class Control
    DESCRIPTOR = 3
    LONGEST_LINE = 16_777_216

    def initialize
      @io = IO.for_fd(DESCRIPTOR, 'r+b')
      @io.sync = true
      @io.close_on_exec = true
      @tail = +''
    end

    def to_io = @io

    # The complete messages that one read brings; waits for some bytes. Nil at the end.
    def read
      @tail << @io.readpartial(65_536)
      *lines, @tail = @tail.split("\n", -1)
      raise "a control line longer than #{LONGEST_LINE} bytes" if @tail.bytesize > LONGEST_LINE

      lines.reject(&:empty?).map { |line| JSON.parse(line) }
    rescue EOFError, SystemCallError
      nil
    end

    def say(type, **facts)
      @io.write("#{JSON.generate(facts.merge(type: type))}\n")
    rescue SystemCallError
      # The next read finds the end.
    end

    def close = @io.close
  end
end
