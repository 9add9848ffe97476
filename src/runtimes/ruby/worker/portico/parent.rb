# frozen_string_literal: true

require_relative 'control'
require_relative 'load'
require_relative 'process'

module Portico
  # The warm parent: loads the application once, forks workers from there, reports their ends.
  #
  # One loop acts on what the supervisor says (descriptor 3) and on workers that ended (a self-pipe).
  class Parent
    # A retiring worker is reminded this often, in seconds: it may have been between two system calls.
    REMIND = 1.0
    LONGEST_DETAIL = 65_536

    attr_reader :application, :settings

    def initialize
      trap('INT', 'IGNORE') # Ctrl-C is the supervisor's
      @control = Control.new
      @workers = {} # pid => slot
      @retiring = {}
      @quitting = false
      # Its other end closes with this process, however this process ends.
      @lifeline = IO.pipe
      @wake = IO.pipe
    end

    def lifeline = @lifeline.first

    # The slot, in a worker that was just forked; nil when the parent is to exit.
    def run
      messages = []
      messages = @control.read || (return nil) while messages.empty?
      configure(messages.shift)
      watch_signals
      loop do
        messages.each do |message|
          slot = act(message)
          return slot if slot
        end
        messages = []
        return nil if @quitting && @workers.empty?

        ready, = IO.select([@control.to_io, @wake.first], nil, nil, @retiring.empty? ? nil : REMIND)
        reap if ready&.include?(@wake.first) && @wake.first.read_nonblock(4096, exception: false)
        messages = @control.read || (return kill_all) if ready&.include?(@control.to_io)
        @retiring.each_key { |pid| send_signal(pid, Process::RETIRE) }
      end
    end

    private

    def configure(settings)
      @settings = settings
      Dir.chdir(settings['app']['dir'])
      # The file may hang: then nobody reads the control channel to see the supervisor gone.
      Process.end_with_creator
      begin
        @application = Load.load(settings)
      rescue Load::Failed => e
        detail = e.message.dup.force_encoding('UTF-8').scrub
        return @control.say('failed', detail: detail[-LONGEST_DETAIL..] || detail)
      end
      warn_of_threads
      @control.say('loaded', version: RUBY_VERSION)
      # While the supervisor thinks about it: what lives on is shared by all workers.
      ::Process.respond_to?(:warmup) ? ::Process.warmup : GC.start
    end

    def warn_of_threads
      others = Thread.list - [Thread.main]
      return if others.empty?

      names = others.map { |thread| thread.name || thread.inspect }
      warn "portico: loading started threads that workers will not have: #{names.join(', ')}"
    end

    # Sets the parent's own signals, after the load so that an application cannot undo them.
    def watch_signals
      wake = -> { @wake.last.write_nonblock('!', exception: false) }
      # What the application itself set; workers get it back.
      @inherited = {
        'CHLD' => trap('CHLD') { wake.call },
        'TERM' => trap('TERM') do
          @quitting = true
          wake.call
        end
      }
      trap('INT', 'IGNORE')
      # A worker inherits these until it has its own: one that is just born must not die of them.
      [Process::RETIRE, Process::TRACEBACK].each { |number| trap(number, 'IGNORE') if number > 31 }
    end

    def act(message)
      case message['type']
      when 'spawn' then return spawn(message['slot'])
      when 'quit'
        @quitting = true
        retire(@workers.keys)
      when 'retire' then retire(of(message))
      when 'kill' then of(message).each { |pid| send_signal(pid, 'KILL') }
      when 'traceback' then of(message).each { |pid| send_signal(pid, Process::TRACEBACK) }
      else
        kill_all
        abort "unknown control message '#{message['type']}'"
      end
      nil
    end

    def of(message) = @workers.select { |_, slot| slot == message['slot'] }.keys

    def retire(pids)
      pids.each do |pid|
        @retiring[pid] = true
        send_signal(pid, Process::RETIRE)
      end
    end

    # The slot in the new process, nil in this one.
    def spawn(slot)
      raise '`spawn` before the application was loaded' unless @application
      return nil if @quitting

      $stdout.flush
      pid = fork
      if pid
        @workers[pid] = slot
        @control.say('spawned', slot: slot, pid: pid)
        return nil
      end
      @inherited.each { |name, handler| trap(name, handler || 'DEFAULT') }
      [*@wake, @lifeline.last, @control].each(&:close)
      slot
    end

    def reap
      retire(@workers.keys) if @quitting
      @workers.to_a.each do |pid, slot|
        status = ended(pid)
        next unless status

        @workers.delete(pid)
        @retiring.delete(pid)
        code = status == true ? 0 : status.exitstatus
        @control.say('exited', slot: slot, pid: pid, code: code, signal: status == true ? nil : status.termsig)
      end
    end

    # Its status; nil while it runs, true when the application has waited for it.
    def ended(pid)
      ::Process.waitpid(pid, ::Process::WNOHANG) && $?
    rescue Errno::ECHILD
      true
    end

    def send_signal(pid, signal)
      ::Process.kill(signal, pid)
    rescue Errno::ESRCH
      # It has ended; its status is still to be read.
    end

    def kill_all
      @workers.each_key { |pid| send_signal(pid, 'KILL') }
      @workers.each_key { |pid| ended_at_last(pid) }
      nil
    end

    def ended_at_last(pid)
      ::Process.waitpid(pid)
    rescue Errno::ECHILD
      nil
    end
  end
end
