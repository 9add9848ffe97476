# frozen_string_literal: true

require 'json'
require_relative 'answer'
require_relative 'link'
require_relative 'process'
require_relative 'request'

module Portico
  # A worker from its birth to its end: connects to every server thread and answers requests.
  class Worker
    # Longest wait in seconds before the links are looked after again.
    LONGEST_WAIT = 0.5
    # How long a departing worker waits for the servers' QUIT, in seconds; then it goes.
    PATIENCE = 2.0

    def initialize(parent, slot)
      app = parent.settings['app']
      @application = parent.application
      @request = Request.new(app['workers'])
      facts = { app: app['name'], slot: slot, pid: ::Process.pid, capacity: 1 }
      hello = JSON.generate(facts, ascii_only: true)
      @links = parent.settings['links'].map { |path| Link.new(path, hello) }
      @wake = IO.pipe
      # Somebody wants this worker to end.
      @asked = false
    end

    # Answers requests until every server has said QUIT, or the worker has departed.
    def run
      listen_for_signals
      while look_after_links
        wait.each { |link| serve(link) if link.look }
      end
    rescue Garbage => e
      warn "portico: worker #{::Process.pid} gives up: #{e.message}"
      exit!(70)
    end

    private

    def listen_for_signals
      ask = proc do
        @asked = true
        @wake.last.write_nonblock('!', exception: false)
      end
      trap(Process::RETIRE, &ask)
      before = trap('TERM', &ask)
      trap('TERM', before) unless before.nil? || before == 'DEFAULT' || before == 'SYSTEM_DEFAULT'
    end

    # Closes, renews and says farewell. False: all is over.
    def look_after_links
      @patience_ends ||= Link.now + PATIENCE if @asked
      @links.map! do |link|
        if link.quit
          link.close
        elsif link.broken
          link = link.successor
        end
        link.leave if @asked && link.socket
        link
      end
      return false if @links.none?(&:socket) && (@asked || @links.any?(&:quit))

      !@asked || Link.now < @patience_ends
    end

    # The links on which something has come.
    def wait
      pause = @asked ? LONGEST_WAIT : connect
      open = @links.select(&:socket)
      ready, = IO.select([@wake.first, *open.map(&:socket)], nil, nil, pause)
      return [] unless ready

      @wake.first.read_nonblock(4096, exception: false) if ready.include?(@wake.first)
      open.select { |link| ready.include?(link.socket) }
    end

    # Tries the links that are due; the seconds until the next one is.
    def connect
      pause = LONGEST_WAIT
      @links.each do |link|
        next if link.socket || link.quit
        next if Link.now >= link.next_try && link.connect

        pause = (link.next_try - Link.now).clamp(0.001, pause)
      end
      pause
    end

    # Answers all the requests in hand on a link.
    def serve(link)
      while (id, flags, payload = link.next_request)
        answer = link.answer = Answer.new(link, id)
        answer.run(@application, @request, flags, payload)
        link.answer = nil
        answer.clean_up
        link.served(answer.began, get: answer.get?)
        return if link.broken
      end
      link.flush
    end
  end
end
