# The numbers of the worker link: `src/wire/frames.ts` says what each means.
package Portico::Frames;
use strict;
use warnings;
use Exporter 'import';

my %numbers;

BEGIN {
    %numbers = (
        REQUEST => 1, CANCEL => 4, WINDOW => 5, QUIT => 6, OPENED => 7,
        HELLO => 16, RESPONSE => 17, HEAD => 18, DATA => 19, END_OF_ANSWER => 20, FILE => 21,
        LEAVING => 22, INFORM => 23,
        # Flag of REQUEST.
        SPOOLED => 1,
        # Flags of RESPONSE, HEAD and END.
        HAS_DATE => 1, HAS_SERVER => 2, FAILED => 4,
        FRAME_HEAD     => 12,
        INITIAL_WINDOW => 1_048_576,
        MAX_DATA       => 262_144,
        MAX_WHOLE      => 262_144,
        MAX_FRAME      => 16_777_216,
    );
}
use constant \%numbers;

our @EXPORT = (keys %numbers, qw(frame garbage));

# id, type, flags, extra, payload.
sub frame {
    my ($id, $type, $flags, $extra, $payload) = @_;
    return pack('VVCCv', length $payload, $id, $type, $flags, $extra) . $payload;
}

# The other side does not speak this protocol.
sub garbage { die bless { reason => $_[0] }, 'Portico::Garbage' }

1;
