# Takes the chunked coding (RFC 9112 §7.1) off a body to which the application has given it, as
# Plack::Middleware::Chunked does: how a connection carries a body is the server's to choose.
package Portico::Chunks;
use strict;
use warnings;

use constant LONGEST_LINE => 4096;

sub new { return bless { rest => '', left => 0, state => 'size' }, $_[0] }

# The bytes of the body that `$data` brings. Dies where it is not chunked.
sub decode {
    my ($self, $data) = @_;
    $self->{rest} .= $data;
    my $body = '';
    while ($self->{state} ne 'over') {
        if ($self->{state} eq 'data') {
            $body .= my $piece = substr $self->{rest}, 0, $self->{left}, '';
            last if $self->{left} -= length $piece;
            $self->{state} = 'gap';
        }
        elsif ($self->{state} eq 'gap') {
            last if length $self->{rest} < 2;
            die "the body is not chunked as its Transfer-Encoding says\n"
                if substr($self->{rest}, 0, 2, '') ne "\r\n";
            $self->{state} = 'size';
        }
        else {
            my $end = index $self->{rest}, "\r\n";
            last if $end < 0 && length $self->{rest} <= LONGEST_LINE;
            my $line = $end < 0 ? '' : substr $self->{rest}, 0, $end + 2, '';
            die "the body is not chunked as its Transfer-Encoding says\n"
                if $line !~ /\A([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?\r\n\z/;
            $self->{left} = hex $1;
            # Trailer fields are dropped.
            $self->{state} = $self->{left} ? 'data' : 'over';
        }
    }
    return $body;
}

sub complete { return $_[0]{state} eq 'over' }

1;
