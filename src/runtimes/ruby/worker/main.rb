# frozen_string_literal: true

# Entry of the warm parent of a Rack application: `ruby /path/to/main.rb`, with the supervisor on
# descriptor 3 (src/runtimes/runtime.ts). Ruby's standard library only; `rack` loads the application.
require_relative 'portico/parent'
require_relative 'portico/process'
require_relative 'portico/worker'

parent = Portico::Parent.new
slot = parent.run
if slot
  Portico::Process.become_worker(parent, slot)
  Portico::Worker.new(parent, slot).run
end
