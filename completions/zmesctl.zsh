#compdef zmesctl
# Completion of zmesctl for zsh. Each line of an answer is a value, a tab and a description; without a value it stands for
# file names. Values can contain anything that a phone, a camera or a user is called: they are quoted, never evaluated.
_zmesctl() {
    local answer line value files=''
    local -a values shown
    answer="$(command zmesctl __complete zsh "${(@)words[1,CURRENT]}" </dev/null 2>/dev/null)"
    for line in "${(@f)answer}"; do
        [[ -n "$line" ]] || continue
        if [[ "$line" == $'\t' ]]; then
            files=1
            continue
        fi
        value="${line%%$'\t'*}"
        values+=("$value")
        if [[ "$line" == *$'\t'?* ]]; then
            shown+=("$value  -- ${line#*$'\t'}")
        else
            shown+=("$value")
        fi
    done
    if [[ -n "$files" ]]; then
        compset -P '--*='
        _files
    fi
    (( $#values )) && compadd -l -d shown -a values
}

if [[ "$funcstack[1]" == _zmesctl ]]; then
    _zmesctl "$@"
else
    compdef _zmesctl zmesctl
fi
