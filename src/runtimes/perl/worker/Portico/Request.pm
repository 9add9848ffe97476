# Makes the environment of a request (PSGI 1.102) from a REQUEST frame.
#
# Visitors send the same header block with request after request: what a block decodes to is kept.
package Portico::Request;
use strict;
use warnings;
use Portico::Frames;

# Header blocks remembered; when full the memory starts anew. Longer ones are not kept.
use constant MOST_BLOCKS   => 512;
use constant LONGEST_BLOCK => 4096;

my @line = qw(
    REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING REQUEST_URI SERVER_PROTOCOL REMOTE_ADDR
    REMOTE_PORT SERVER_NAME SERVER_PORT psgi.url_scheme CONTENT_LENGTH
);

# Never from a visitor: CONTENT_LENGTH has a place of its own, HTTP_PROXY would be taken for the
# variable that names a proxy (CVE-2016-5385).
my @never = qw(HTTP_CONTENT_LENGTH HTTP_CONTENT_TYPE HTTP_PROXY);

my (%base, %known);

# The part of an environment that all requests share.
sub prepare {
    my ($workers) = @_;
    %base = (
        'SERVER_SOFTWARE'       => 'Portico',
        'psgi.version'          => [1, 1],
        'psgi.errors'           => \*STDERR,
        'psgi.multithread'      => !!0,
        'psgi.multiprocess'     => $workers > 1,
        'psgi.run_once'         => !!0,
        'psgi.nonblocking'      => !!0,
        'psgi.streaming'        => !!1,
        'psgix.input.buffered'  => !!1,
        'psgix.cleanup'         => !!1,
        'psgix.harakiri'        => !!1,
    );
}

# The line, the environment but for the body, and the body. Only the line when that cannot be put into
# an environment: a NUL in its path.
sub environment {
    my ($flags, $payload) = @_;
    garbage('a request of ' . length($payload) . ' bytes') if length $payload < 8;
    my ($line_size, $fields_size) = unpack 'VV', $payload;
    my $body_at = 8 + $line_size + $fields_size;
    garbage('a request whose parts are longer than itself') if $body_at > length $payload;
    garbage("a request with flags $flags, which no PSGI worker takes") if $flags & ~SPOOLED;
    my $line   = substr $payload, 8,              $line_size;
    my $fields = substr $payload, 8 + $line_size, $fields_size;
    my $shared = $known{$fields} // learn($fields);
    my @values = split /\0/, $line, -1;
    return $line if @values != @line;
    my %env = (%base, %$shared);
    @env{@line} = @values;
    # What the request is called, where requests have names.
    @env{qw(CONTENT_LENGTH HTTP_TRACEPARENT HTTP_X_REQUEST_ID)} = split / /, $env{CONTENT_LENGTH}, -1
        if $env{CONTENT_LENGTH} =~ / /;
    delete $env{CONTENT_LENGTH} if $env{CONTENT_LENGTH} eq '';
    $env{HTTPS} = 'on' if $env{'psgi.url_scheme'} eq 'https';
    $env{'psgix.cleanup.handlers'} = [];
    return ($line, \%env, substr $payload, $body_at);
}

# The body as a handle: of the bytes, or of the file that they name. Dies where that is gone.
sub open_body {
    my ($flags, $body) = @_;
    my $handle;
    if   ($flags & SPOOLED) { open $handle, '<:raw', $body or die "the request's body at $body: $!\n" }
    else                    { open $handle, '<', \$body or die "the request's body: $!\n" }
    return $handle;
}

sub learn {
    my ($fields) = @_;
    my @words = split /\0/, $fields, -1;
    garbage('a header block with a name but no value') if @words % 2;
    my %decoded = @words;
    delete @decoded{@never};
    if (length $fields <= LONGEST_BLOCK) {
        %known = () if keys %known >= MOST_BLOCKS;
        $known{$fields} = \%decoded;
    }
    return \%decoded;
}

1;
