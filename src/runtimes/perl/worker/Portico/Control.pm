# The control channel to the supervisor: JSON lines on descriptor 3, both ways.
package Portico::Control;
use strict;
use warnings;
use Errno qw(EINTR);
use Fcntl qw(F_SETFD FD_CLOEXEC);
use JSON::PP ();

use constant DESCRIPTOR   => 3;
use constant LONGEST_LINE => 16_777_216;

my $json = JSON::PP->new->ascii->canonical;

sub new {
    my ($class) = @_;
    open my $handle, '+<&=', DESCRIPTOR or die "no control channel on descriptor 3: $!\n";
    fcntl $handle, F_SETFD, FD_CLOEXEC;
    return bless { handle => $handle, tail => '' }, $class;
}

sub fileno { return DESCRIPTOR }

# The complete messages that one read brings; waits for some bytes. Nothing at the end: undef.
sub read {
    my ($self) = @_;
    my $got;
    do { $got = sysread $self->{handle}, $self->{tail}, 65_536, length $self->{tail} }
        until defined $got || !$!{EINTR};
    return undef unless $got;
    my @lines = split /\n/, $self->{tail}, -1;
    $self->{tail} = pop @lines;
    die "a control line longer than ${\ LONGEST_LINE} bytes\n" if length $self->{tail} > LONGEST_LINE;
    return [map { $json->decode($_) } grep { /\S/ } @lines];
}

sub say {
    my ($self, $type, %facts) = @_;
    my $line = $json->encode({ %facts, type => $type }) . "\n";
    while (length $line) {
        my $sent = syswrite $self->{handle}, $line;
        if (defined $sent) { substr $line, 0, $sent, '' }
        elsif (!$!{EINTR}) { return }    # the next read finds the end
    }
}

sub close { CORE::close($_[0]{handle}) }

1;
