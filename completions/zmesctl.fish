# Completion of zmesctl for fish. Each line of an answer is a value, a tab and a description; without a value it stands for
# file names. Values can contain anything that a phone, a camera or a user is called: they are quoted, never evaluated.
function __zmesctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (command zmesctl __complete fish $words </dev/null 2>/dev/null)
        if test "$line" = \t
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $line
        end
    end
end

complete -c zmesctl -f -k -a '(__zmesctl_complete)'
