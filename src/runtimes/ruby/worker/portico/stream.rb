# frozen_string_literal: true

module Portico
  # What a streaming body (Rack 3) is called with: reads the request's body, writes the answer's.
  class Stream
    def initialize(answer, input)
      @answer = answer
      @input = input
      @closed = false
    end

    def read(*arguments) = @input.read(*arguments)

    def write(data)
      raise IOError, 'the stream is closed' if @closed

      @answer.emit(data)
      @answer.listen
      data.bytesize
    end

    def <<(data)
      write(data)
      self
    end

    # Every piece leaves at once.
    def flush = self

    def close_read = nil

    def close_write = close

    def close
      @closed = true
      nil
    end

    def closed? = @closed
  end
end
