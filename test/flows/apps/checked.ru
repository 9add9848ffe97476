# frozen_string_literal: true

require 'rack'

hello = ->(_) { [200, { 'Content-Type' => 'text/plain', 'Content-Length' => '7' }, ['checked']] }
echo = ->(env) { [200, { 'Content-Type' => 'text/plain' }, [env['rack.input'].read.bytesize.to_s]] }
pieces = ->(_) { [200, { 'Content-Type' => 'text/plain' }, Enumerator.new { |out| 3.times { |n| out << "#{n};" } }] }

# As it is, and with everything it gives and gets checked.
checked = ->(app) { Rack::Lint.new(app) }

map('/echo') { run checked.call(echo) }
map('/chunked') do
  use Rack::Chunked
  run checked.call(pieces)
end
map('/packed') do
  use Rack::Deflater
  run checked.call(hello)
end
map('/files') { run Rack::Files.new(__dir__) }
map('/') { run checked.call(hello) }
