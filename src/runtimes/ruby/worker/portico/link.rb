# frozen_string_literal: true

require 'socket'
require_relative 'frames'

module Portico
  # The worker link: one connection to one server thread, from the first try to its end.
  #
  # It is read by whoever waits for something: the worker's loop, or an answer that waits for its window.
  # Requests that come meanwhile wait in `@requests`.
  class Link
    include Frames

    # Answers are held back at most this long, in seconds, and up to this many bytes, to share a write.
    LONGEST_HOLD = 0.001
    MOST_HELD = 65_536
    # After a request that took longer than LONGEST_HOLD so many answers leave one by one: where some
    # requests are slow, an answer must not wait for the end of the one behind it.
    EAGER_ANSWERS = 1000
    READ = 65_536
    # Bytes of requests kept aside while one is answered; more is not a server of ours.
    MOST_KEPT = 4 * MAX_FRAME
    # Seconds before the first and before every later try to reach a server that is gone.
    FIRST_BACK_OFF = 0.02
    LONGEST_BACK_OFF = 1.0

    attr_reader :socket, :broken, :quit, :next_try
    # The answer under way.
    attr_accessor :answer

    def self.now = ::Process.clock_gettime(::Process::CLOCK_MONOTONIC)

    def initialize(path, hello, next_try = 0)
      @path = path
      @hello = hello
      @next_try = next_try
      @back_off = FIRST_BACK_OFF
      @broken = @quit = @leaving = false
      @buffer = String.new
      @missing = 0
      # [id, flags, payload] of requests to come, and the bytes of these.
      @requests = []
      @kept = 0
      @held = String.new
      @held_since = 0
      @eager = 0
    end

    # Tries once. False: not before `next_try`.
    def connect
      @socket = UNIXSocket.new(@path)
      @back_off = FIRST_BACK_OFF
      send_bytes(frame(0, HELLO, 0, 0, @hello))
      true
    rescue SystemCallError
      @next_try = Link.now + @back_off
      @back_off = [@back_off * 2, LONGEST_BACK_OFF].min
      false
    end

    def close
      @broken = true
      @socket&.close
      @socket = nil
    end

    # Closes this link, which is broken for good, and gives one to the server's next self.
    def successor
      close
      Link.new(@path, @hello, Link.now + FIRST_BACK_OFF)
    end

    # Reads once, without waiting. False: the server is gone.
    def look
      data = @socket.read_nonblock([READ, @missing].max, exception: false)
      if data.nil?
        @broken = true
      elsif data != :wait_readable
        @buffer << data
        sort
      end
      !@broken
    rescue SystemCallError
      @broken = true
      false
    end

    # Waits until the block says true, or until the answer under way is cancelled.
    def wait_until
      until yield || @answer.cancelled
        gone = !flush
        @socket.wait_readable unless gone
        @answer.cancelled = true if gone || !look
      end
    end

    # The next request, without waiting.
    def next_request
      request = @requests.shift
      @kept -= request.last.bytesize if request
      request
    end

    # Holds an answer back only for the sake of those behind it: nobody knows what the application does
    # before it asks for the next request.
    def send_soon(frame)
      @held_since = Link.now if @held.empty?
      @held << frame
      flush if @eager.positive? || @requests.empty? || @held.bytesize > MOST_HELD
    end

    def send_now(frame)
      @held << frame
      flush
    end

    # False: the server is gone.
    def flush
      unless @held.empty?
        bytes = @held
        @held = String.new
        send_bytes(bytes)
      end
      !@broken
    end

    # What the time means that a request took which began then. Nobody may ask again for what is not safe:
    # its answer waits for nobody.
    def served(began, get:)
      now = Link.now
      if now - began >= LONGEST_HOLD
        @eager = EAGER_ANSWERS
      elsif @eager.positive?
        @eager -= 1
      end
      flush if !get || @eager.positive? || now - @held_since >= LONGEST_HOLD
    end

    # Tells the server to send no more requests: its QUIT will be behind all that it has sent.
    def leave
      return if @leaving

      @leaving = true
      send_now(frame(0, LEAVING))
    end

    private

    def send_bytes(bytes)
      @socket.write(bytes) unless @broken
    rescue SystemCallError
      @broken = true
    end

    # Puts the complete frames in hand where they belong.
    def sort
      at = 0
      @missing = 0
      while @buffer.bytesize - at >= FRAME_HEAD
        length, id, type, flags = @buffer.byteslice(at, FRAME_HEAD).unpack('VVCC')
        check(length, type)
        stop = at + FRAME_HEAD + length
        if stop > @buffer.bytesize
          @missing = stop - @buffer.bytesize
          break
        end
        payload = @buffer.byteslice(at + FRAME_HEAD, length)
        at = stop
        case type
        when REQUEST then keep(id, flags, payload)
        when QUIT then @quit = true
        else tell(id, type, flags, payload)
        end
      end
      @buffer = @buffer.byteslice(at..) if at.positive?
    end

    def check(length, type)
      return if length <= MAX_FRAME && (type == REQUEST || type.between?(CANCEL, OPENED))

      raise Garbage, "frame of type #{type} with #{length} bytes on a worker link"
    end

    def keep(id, flags, payload)
      @kept += payload.bytesize
      raise Garbage, "more than #{MOST_KEPT} bytes of requests at once" if @kept > MOST_KEPT

      @requests << [id, flags, payload]
    end

    # A control frame, for the answer under way or for a request that waits behind it.
    def tell(id, type, flags, payload)
      if @answer && @answer.id == id
        case type
        when WINDOW then @answer.window += payload.unpack1('V')
        when OPENED then @answer.opened = flags
        else @answer.cancelled = true
        end
      elsif type == CANCEL && @requests.reject! { |request| request.first == id }
        @held << frame(id, END_OF_ANSWER, FAILED, 0, [0].pack('V'))
      end
    end
  end
end
