# Bodies that are files: the server can send these itself instead of having them read here.
package Portico::File;
use strict;
use warnings;
use Portico::Frames;

# A smaller file is sent in the frames: cheaper than having the server open it.
use constant LEAST_BYTES => 65_536;

# Classes whose bytes are those of their descriptor. Others may give other bytes than are on disk.
my %plain = map { $_ => 1 } qw(GLOB IO::File IO::File::WithPath File::Temp Plack::Util::IOWithPath);

# Has the server send the rest of the file. False: it is to be read here.
sub send {
    my ($answer, $handle) = @_;
    my ($path, $offset, $there) = locate($handle) or return 0;
    return 0 unless defined $path && !$answer->{chunks};
    my $declared = $answer->{head}{declared};
    if ($answer->bodiless) {
        $answer->respond('', $declared < 0 && $answer->{head}{status} == 200 ? $there : $declared);
        return 1;
    }
    my $size = $declared < 0 || $there < $declared ? $there : $declared;
    if ($size < LEAST_BYTES) {
        read $handle, my ($bytes), $size;
        $answer->whole($bytes);
        return 1;
    }
    $answer->{sent} = 1;
    $answer->{left} = $declared < 0 ? $there : $declared;
    $answer->push_frame($answer->head_frame(HEAD, $answer->{left}, 0)
            . frame($answer->{id}, FILE, 0, 0, pack('Q<Q<', $offset, $size) . $path));
    $answer->{link}->wait_until(sub { defined $answer->{opened} });
    return 1 if $answer->{cancelled};
    return 0 if $answer->{opened};
    $answer->{left} -= $size;
    $answer->finish;
    return 1;
}

# Where the rest of the file is: path, offset, bytes. Nothing where it is not simply the rest of a
# regular file on disk.
sub locate {
    my ($handle) = @_;
    return unless $plain{ ref $handle };
    my $descriptor = fileno $handle;
    return unless defined $descriptor && $descriptor >= 0 && -f $handle;
    my $size   = -s _;
    my $offset = tell $handle;
    my $path   = "/proc/$$/fd/$descriptor";
    return if $offset < 0 || grep { $_ ne 'unix' && $_ ne 'perlio' } PerlIO::get_layers($handle);
    return unless -e $path;
    return ($path, $offset, $size > $offset ? $size - $offset : 0);
}

1;
