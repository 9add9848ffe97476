# frozen_string_literal: true

require 'rbconfig'
require_relative 'trace'

module Portico
  # Loads the application from its file; says what is wrong where that fails.
  module Load
    class Failed < StandardError
    end

    module_function

    # The application. Raises Failed with what the owner should read.
    def load(settings)
      file = settings['app']['file']
      raise Failed, "there is no file #{file}; check `rack:`" unless File.file?(file)

      ENV['RACK_ENV'] ||= settings['dev'] ? 'development' : 'production'
      bundle
      require_rack
      check(build(file), file)
    end

    # The versions that the application asks for.
    def bundle
      return unless ENV['BUNDLE_GEMFILE'] || File.file?('Gemfile')

      require 'bundler'
      ::Bundler.setup
    rescue LoadError => e
      raise Failed, "there is a Gemfile, and Bundler cannot be loaded (#{e.message}); install it with `gem install bundler` (Debian: `apt install ruby-bundler`)"
    rescue StandardError => e
      raise Failed, "Bundler: #{e.message}\nrun `bundle install` in #{Dir.pwd}"
    end

    def require_rack
      require 'rack'
    rescue LoadError => e
      raise Failed, "a Rack application needs the gem rack, which #{RbConfig.ruby} does not find (#{e.message}); " \
                    'install it with `gem install rack` (Debian: `apt install ruby-rack`), or name another Ruby with `interpreter:`'
    end

    def build(file)
      found = ::Rack::Builder.parse_file(file)
      # Rack 2 gives options as well.
      found.is_a?(Array) ? found.first : found
    rescue SystemExit => e
      raise Failed, "#{Trace.text(e)}the application called exit(#{e.status}) while it was loaded"
    rescue SignalException
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException: whatever the application raises
      raise Failed, Trace.text(e)
    end

    def check(app, file)
      return app if app.respond_to?(:call)

      raise Failed, "#{file} must `run` an application, which responds to `call`; it gives #{app.inspect}"
    end
  end
end
