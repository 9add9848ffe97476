# Checks the status and the headers of an answer and encodes them for the link, once: applications
# answer with the same few heads over and over.
package Portico::Head;
use strict;
use warnings;
use Portico::Frames;

# Heads remembered; when full the memory starts anew. Larger heads are not kept.
use constant MOST_HEADS         => 1024;
use constant LARGEST_REMEMBERED => 2048;

# Fields that belong to one connection, which is the server's (RFC 9110 §7.6.1).
my %hop_by_hop = map { $_ => 1 } qw(
    connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade
);

my %known;

# A hash: status, flags, declared (the Content-Length or -1), chunked (the body comes encoded so),
# text (as the link has it). Dies of what PSGI forbids.
sub encode {
    my ($status, $headers) = @_;
    die "the headers must be an array reference\n" if ref $headers ne 'ARRAY' || @$headers % 2;
    no warnings 'uninitialized';
    my $key = join "\0", $status, @$headers;
    return $known{$key} // do {
        my $head = check($status, $headers);
        if (length $key <= LARGEST_REMEMBERED) {
            %known = () if keys %known >= MOST_HEADS;
            $known{$key} = $head;
        }
        $head;
    };
}

sub check {
    my ($status, $headers) = @_;
    die "bad status '$status': a number from 200 on\n" if $status !~ /\A[2-9][0-9][0-9]\z/;
    my %head = (status => $status, flags => 0, declared => -1, chunked => 0, text => "\r\n");
    for (my $at = 0; $at < @$headers; $at += 2) {
        my ($name, $value) = ($headers->[$at], $headers->[$at + 1] // '');
        die "bad header name '$name'\n" if $name !~ /\A[!#\$%&'*+.^_`|~0-9A-Za-z-]+\z/;
        die "control character in header '$name'\n" if $value =~ /[\x00-\x08\x0a-\x1f\x7f]/;
        die "wide character in header '$name': encode it first\n" unless utf8::downgrade($value, 1);
        my $lower = lc $name;
        next if $hop_by_hop{$lower};
        if ($lower eq 'content-length') { $head{declared} = declared($value, $head{declared}); next }
        if ($lower eq 'transfer-encoding') { $head{chunked} = chunked($value); next }
        $head{flags} |= HAS_DATE   if $lower eq 'date';
        $head{flags} |= HAS_SERVER if $lower eq 'server';
        $head{text} .= "$name: $value\r\n";
    }
    $head{declared} = -1 if $status == 204 || $head{chunked};    # RFC 9110 §8.6, RFC 9112 §6.1
    return \%head;
}

sub declared {
    my ($value, $before) = @_;
    die "bad Content-Length '$value'\n" if $value !~ /\A[0-9]{1,18}\z/;
    die "two Content-Lengths: $before and $value\n" if $before >= 0 && $value != $before;
    return $value + 0;
}

sub chunked {
    my ($value) = @_;
    return 0 if lc $value eq 'identity';
    return 1 if lc $value eq 'chunked';
    die "Transfer-Encoding '$value' is the server's to choose\n";
}

1;
