# frozen_string_literal: true

module Portico
  # The numbers of the worker link: `src/wire/frames.ts` says what each means.
  module Frames
    REQUEST = 1
    CANCEL = 4
    WINDOW = 5
    QUIT = 6
    OPENED = 7
    HELLO = 16
    RESPONSE = 17
    HEAD = 18
    DATA = 19
    END_OF_ANSWER = 20
    FILE = 21
    LEAVING = 22
    INFORM = 23

    # Flag of REQUEST.
    SPOOLED = 1
    # Flags of RESPONSE, HEAD and END.
    HAS_DATE = 1
    HAS_SERVER = 2
    FAILED = 4

    FRAME_HEAD = 12
    INITIAL_WINDOW = 1_048_576
    MAX_DATA = 262_144
    MAX_WHOLE = 262_144
    MAX_FRAME = 16_777_216

    module_function

    def frame(id, type, flags = 0, extra = 0, payload = '')
      [payload.bytesize, id, type, flags, extra].pack('VVCCv') << payload
    end
  end

  # The other side does not speak this protocol.
  class Garbage < StandardError
  end

  # The visitor, or the server, is gone: nobody waits for this answer any more. No StandardError, of
  # which applications rescue everything.
  class Left < Exception # rubocop:disable Lint/InheritException
  end
end
