# frozen_string_literal: true

# A whole Rack application without a framework: a guest book, and a stream.
#
# `portico serve examples/rack`, then open http://localhost:8080/ in a browser, or
# `curl -N http://localhost:8080/count`.
require 'rack'

# Each worker has its own list: what all are to see belongs in a database.
class Guests
  def initialize
    @names = []
  end

  def call(env)
    request = Rack::Request.new(env)
    case [request.request_method, request.path_info]
    when %w[GET /] then page
    when %w[POST /] then sign(request)
    when %w[GET /count] then [200, { 'content-type' => 'text/plain' }, count]
    else [404, { 'content-type' => 'text/plain' }, ["Nothing here\n"]]
    end
  end

  private

  def page
    list = @names.reverse.map { |name| "<li>#{Rack::Utils.escape_html(name)}</li>\n" }.join
    [200, { 'content-type' => 'text/html; charset=utf-8' }, [<<~PAGE]]
      <!doctype html>
      <meta charset="utf-8">
      <title>Guests</title>
      <h1>Guests</h1>
      <form method="post"><input name="name" autofocus placeholder="Your name"> <button>Sign</button></form>
      <ol>
      #{list}</ol>
      <p>Ruby #{RUBY_VERSION}, worker #{Process.pid}</p>
    PAGE
  end

  def sign(request)
    name = request.POST['name'].to_s.dup.force_encoding('UTF-8').scrub
    @names << name[0, 100] unless name.strip.empty?
    @names.shift if @names.size > 100
    [303, { 'location' => "#{request.script_name}/" }, []]
  end

  # A body that is made while it is sent: each line leaves as it is given.
  def count
    Enumerator.new do |lines|
      1.upto(5) do |number|
        lines << "#{number}\n"
        sleep 1
      end
    end
  end
end

run Guests.new
