# frozen_string_literal: true

require 'sinatra/base'

class Contract < Sinatra::Base
  set :sessions, true
  set :session_secret, 'x' * 64
  set :environment, :production

  get('/') { 'Hello from sinatra' }
  post('/form') { "name=#{params['name']}" }
  post('/upload') { "#{params['file']['filename']} #{params['file']['tempfile'].size}" }
  get('/hello/:who') { "hello #{params['who']}" }
  get('/count') { (session['count'] = session['count'].to_i + 1).to_s }
  get('/redirect') { redirect to('/') }
  get('/dies') { raise 'on purpose' }
  get('/file') { send_file __FILE__ }
  get('/stream') do
    stream do |out|
      3.times { |number| out << "#{number}\n" }
    end
  end
end

run Contract
