# frozen_string_literal: true

require_relative 'chunks'
require_relative 'frames'
require_relative 'head'
require_relative 'link'
require_relative 'stream'
require_relative 'trace'

module Portico
  # One answer of the application, from its call to the last frame: an array, a body with `each`, a file
  # (`to_path`), or a streaming body with `call` (Rack 3).
  class Answer
    include Frames

    # A smaller file is sent in the frames: cheaper than having the server open it.
    LEAST_FILE = 65_536
    # The last bytes of a backtrace that are sent on; a recursion's can be very long.
    LONGEST_TRACE = 65_536
    FAILURE = Head::Encoded.new(
      500, FAILED, -1, false, "Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
    ).freeze

    attr_reader :id, :began
    # Bytes of DATA that the server will take; flags of OPENED, once it has come.
    attr_accessor :window, :opened, :cancelled

    def initialize(link, id)
      @link = link
      @id = id
      @began = Link.now
      @window = INITIAL_WINDOW
      @cancelled = false
      # A frame has left: the head can no longer change. The last one has left.
      @sent = @complete = false
      # Declared bytes that are still to come, or -1.
      @left = -1
    end

    # The whole life of a request, but for what the application wants done behind it.
    def run(application, request, flags, payload)
      @line, @env, body = request.read(flags, payload)
      return refuse unless @env

      @env['rack.early_hints'] = ->(headers) { inform(103, headers) }
      begin
        # At once: the server deletes a file when it likes.
        @env['rack.input'] = Request.open_body(flags, body)
        status, @headers, @body = application.call(@env)
        deliver(status)
      rescue Garbage, SignalException
        raise
      rescue Exception => e # rubocop:disable Lint/RescueException: whatever the application raises
        failed(e)
      end
      close
    end

    def get? = !@env.nil? && @env['REQUEST_METHOD'] == 'GET'

    # What the application wants done behind its answer.
    def clean_up
      return unless @env

      handlers = Array(@env['rack.after_reply']).map { |handler| [handler, []] }
      facts = [@env, @head&.status, @headers, @error]
      handlers += Array(@env['rack.response_finished']).reverse.map { |handler| [handler, facts] }
      return if handlers.empty?

      @link.flush
      handlers.each do |handler, arguments|
        handler.call(*arguments)
      rescue StandardError, ScriptError => e
        log("what was to be done behind the answer failed\n#{Trace.text(e)}")
      end
    end

    # Sends a piece of the body; returns when the next one may be asked for.
    def emit(data)
      raise TypeError, "the body must consist of strings, not of #{data.class}" unless data.is_a?(String)

      data = data.b unless data.encoding == Encoding::BINARY
      data = @chunks.decode(data) if @chunks
      raise Left if @cancelled
      return if data.empty?

      if !@sent
        begin_with(data)
      elsif !@complete
        send_data(data)
      elsif !bodiless?
        log_excess
      end
    end

    # The visitor may have left meanwhile.
    def listen
      return if @complete

      @cancelled = true unless @link.look
    end

    private

    # A request that no environment holds: a NUL in its path.
    def refuse
      @head = Head.encode(400, { 'content-type' => 'text/plain' })
      whole(+"Bad Request\n")
    end

    def deliver(status)
      @head = Head.encode(status, @headers)
      @chunks = Chunks.new if @head.chunked
      if @body.respond_to?(:to_ary) && !@chunks then whole(joined(@body.to_ary))
      elsif @body.respond_to?(:to_path) && send_file then nil
      elsif @body.respond_to?(:each) then iterate
      elsif @body.respond_to?(:call) then stream
      else raise TypeError, "the body must respond to each or call: #{@body.inspect}"
      end
    end

    def joined(parts)
      wrong = parts.find { |part| !part.is_a?(String) }
      raise TypeError, "the body must consist of strings, not of #{wrong.class}" unless wrong.nil?

      parts.size == 1 ? parts.first.b : parts.map(&:b).join.b
    end

    def iterate
      @body.each do |piece|
        emit(piece)
        listen
      end
      finish
    end

    def stream
      @body.call(Stream.new(self, @env['rack.input']))
      finish
    end

    def head?
      @line.start_with?("HEAD\0")
    end

    def bodiless?
      @head.status == 204 || @head.status == 304 || head?
    end

    def begin_with(data)
      declared = @head.declared
      return respond('', declared) if bodiless?
      return respond(data, declared) if declared == data.bytesize && declared <= MAX_WHOLE

      @left = declared
      @sent = true
      send_data(data, head_frame(HEAD, declared, 0))
    end

    # Sends DATA frames within the window, the first behind `before`.
    def send_data(data, before = nil)
      data = within(data) if @left >= 0
      at = 0
      while at < data.bytesize
        unless @window.positive?
          push(before) if before
          before = nil
          @link.wait_until { @window.positive? }
          raise Left if @cancelled
        end
        piece = data.byteslice(at, [@window, MAX_DATA].min)
        at += piece.bytesize
        @window -= piece.bytesize
        sent = frame(@id, DATA, 0, 0, piece)
        push(before ? before << sent : sent)
        before = nil
      end
      push(before) if before
    end

    # Never more than was declared.
    def within(data)
      if @left < data.bytesize
        log_excess
        data = data.byteslice(0, @left)
      end
      @left -= data.bytesize
      data
    end

    def push(frame)
      return if @link.send_now(frame)

      @cancelled = true
      raise Left
    end

    # Sends an answer of which the whole body is known.
    def whole(body)
      size = body.bytesize
      declared = @head.declared
      if bodiless?
        # An empty body tells nothing of the one that GET would have brought.
        declared = size if declared.negative? && size.positive? && head? && @head.status != 204
        respond('', declared)
      elsif declared > size || size > MAX_WHOLE
        @left = declared
        @sent = true
        send_data(body, head_frame(HEAD, declared.negative? ? size : declared, 0))
        finish
      else
        if declared >= 0 && declared < size
          log_excess
          body = body.byteslice(0, declared)
        end
        respond(body, declared)
      end
    end

    # Has the server send the file that the body is. False: it is to be read here.
    def send_file
      path = File.expand_path(@body.to_path)
      return false if @sent || @chunks || bodiless? || !File.file?(path)

      size = File.size(path)
      # A part of it, or no longer what was declared: that is the body's own business.
      return false if size < LEAST_FILE || (@head.declared >= 0 && @head.declared != size)

      @sent = true
      @left = size
      place = [0, size].pack('Q<Q<') << path.b
      push(head_frame(HEAD, size, 0) << frame(@id, FILE, 0, 0, place))
      @link.wait_until { @opened }
      return true if @cancelled
      return false unless @opened.zero?

      @left = 0
      finish
      true
    end

    def head_frame(type, declared, more)
      text = @head.text
      [16 + text.bytesize + more, @id, type, @head.flags, @head.status, text.bytesize, microseconds, declared]
        .pack('VVCCvVVq<') << text
    end

    def microseconds
      [((Link.now - @began) * 1_000_000).to_i, 0xFFFF_FFFF].min
    end

    def respond(body, declared)
      @complete = @sent = true
      @link.send_soon(head_frame(RESPONSE, declared, body.bytesize) << body)
    end

    # Ends an answer that the application has ended.
    def finish
      return if @complete
      raise ArgumentError, 'the body ended within a chunk' if @chunks && !bodiless? && !@chunks.complete?

      declared = @head.declared
      unless @sent
        return respond('', declared) if bodiless? || declared <= 0

        @left = declared
        push(head_frame(HEAD, declared, 0))
      end
      log("the application declared #{declared} bytes and sent #{declared - @left}") if @left.positive?
      finish_with(@left.positive? ? FAILED : 0)
    end

    def finish_with(flags)
      @complete = true
      @link.send_now(frame(@id, END_OF_ANSWER, flags, 0, [microseconds].pack('V')))
    end

    # An interim answer (RFC 8297).
    def inform(status, headers)
      return if @sent

      fields = Head.check(200, headers).text
      push(frame(@id, INFORM, 0, status, fields.byteslice(2..)))
    end

    # The application raised.
    def failed(error)
      return if error.is_a?(Left) && @cancelled

      @error = error
      text = Trace.text(error)
      log("the application failed\n#{text}")
      return if @complete || @cancelled
      return finish_with(FAILED) if @sent

      @head = FAILURE
      respond(text.byteslice(-LONGEST_TRACE..) || text, -1)
    end

    # Always, whatever happened before. The server has heard the end of it then.
    def close
      # The last frame tells the server that this worker is free again.
      finish_with(FAILED) if @cancelled && !@complete
      @body.close if @body.respond_to?(:close)
    rescue StandardError, ScriptError => e
      log("close of the body failed\n#{Trace.text(e)}")
    ensure
      input = @env['rack.input']
      input.close if input.is_a?(File) && !input.closed?
    end

    def log_excess
      log("the application sent more than the #{@head.declared} bytes it declared")
    end

    def log(message)
      # From the frame, not the environment: that is the application's to change. No query: it may be secret.
      method, script, path, *more = @line.split("\0", -1)
      # Where requests have names, it comes behind the length.
      name = more.last&.slice(/ (\S+)\z/, 1)
      name = name ? " (request #{name})" : ''
      $stderr.write("portico: #{method} #{script}#{path}#{name}: ".b << message.b.chomp << "\n")
    end
  end
end
