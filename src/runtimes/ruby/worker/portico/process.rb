# frozen_string_literal: true

require 'json'
require 'socket'
begin
  require 'fiddle'
rescue LoadError
  # Then a thread watches for the parent's end.
end
require_relative 'trace'

module Portico
  # What makes a forked process a worker: its end with its parent, its signals, its log.
  module Process
    LINUX = RUBY_PLATFORM.include?('linux')
    # Real-time signals, which applications hardly ever use; others where the system has none.
    TRACEBACK = LINUX ? 45 : Signal.list.fetch('USR2')
    RETIRE = LINUX ? 46 : Signal.list.fetch('TERM')
    PR_SET_PDEATHSIG = 1

    module_function

    # The kernel kills this process when the one that started it ends. False where it cannot.
    def end_with_creator
      return false unless LINUX && defined?(Fiddle)

      long = Fiddle::TYPE_LONG
      prctl = Fiddle::Function.new(Fiddle.dlopen(nil)['prctl'], [Fiddle::TYPE_INT, *[long] * 4], Fiddle::TYPE_INT)
      prctl.call(PR_SET_PDEATHSIG, Signal.list.fetch('KILL'), 0, 0, 0).zero?
    rescue Fiddle::DLError
      false
    end

    def become_worker(parent, slot)
      die_with_parent(parent.lifeline)
      facts = { app: parent.settings['app']['name'], slot: slot, pid: ::Process.pid }
      open_log(parent.settings['log'], facts)
      Trace.show_on_signal(TRACEBACK)
    end

    # Nothing may outlive the warm parent: not even when that was killed.
    def die_with_parent(lifeline)
      if end_with_creator
        # It may have died before the kernel knew: then the other end is closed already.
        exit!(1) if lifeline.read_nonblock(1, exception: false).nil?
        lifeline.close
      else
        Thread.new do
          lifeline.read(1)
          exit!(1)
        end
      end
    end

    # Sends this process's stdout and stderr to the supervisor. Without it they stay the parent's.
    def open_log(path, introduction)
      log = UNIXSocket.new(path)
      log.write("#{JSON.generate(introduction)}\n")
      # As plain IO: these streams stay what they were.
      plain = IO.for_fd(log.fileno, 'w', autoclose: false)
      [$stdout, $stderr].each { |stream| stream.reopen(plain) }
      log.close
    rescue SystemCallError => e
      warn "portico: no log socket at #{path}: #{e.message}"
    ensure
      $stdout.sync = $stderr.sync = true
    end
  end
end
