# What the responder of a delayed answer returns when the body comes piece by piece.
package Portico::Writer;
use strict;
use warnings;

sub new { return bless { answer => $_[1], closed => 0 }, $_[0] }

sub write {
    my ($self, $data) = @_;
    die "the writer is closed\n" if $self->{closed};
    my $answer = $self->{answer};
    $answer->emit($data);
    # The visitor may have left meanwhile.
    $answer->{link}->look or $answer->{cancelled} = 1 if $answer->{sent};
    return 1;
}

sub close {
    my ($self) = @_;
    return if $self->{closed};
    $self->{closed} = 1;
    $self->{answer}->finish unless $self->{answer}{cancelled};
}

1;
