# frozen_string_literal: true

module Portico
  # Backtraces as the application's owner wants to read them: of the application's own frames.
  module Trace
    HERE = "#{File.dirname(__dir__)}/"
    MOST_FRAMES = 100
    # Of an exception and what caused it.
    MOST_CAUSES = 10

    module_function

    # The text of an exception, with its causes.
    def text(error)
      lines = []
      seen = []
      while error && !seen.include?(error) && seen.size < MOST_CAUSES
        lines << 'caused by' unless seen.empty?
        seen << error
        lines << "#{error.class}: #{message(error)}"
        lines.concat(own(error.backtrace || []).map { |frame| "\tfrom #{frame}" })
        error = error.cause
      end
      lines.map { |line| line.b }.join("\n".b) << "\n".b
    end

    def message(error)
      error.message.to_s
    rescue StandardError
      'an exception that has no message'
    end

    def own(frames)
      frames.reject { |frame| frame.start_with?(HERE, '<internal:') }.first(MOST_FRAMES)
    end

    # What every thread is doing, the oldest first: it comes when a request is stuck.
    def show_on_signal(number)
      trap(number) do
        Thread.list.each do |thread|
          frames = own(thread.backtrace || [])
          text = ["#{thread.inspect} (most recent call first):", *frames.map { |frame| "  #{frame}" }].join("\n")
          # No buffer, no lock: neither is to be had in a signal's handler.
          $stderr.syswrite("#{text}\n")
        end
      end
    end
  end
end
