# Completion of zmesctl for bash. Each line of an answer is a value, a tab and a description; without a value it stands for
# file names. Values can contain anything that a phone, a camera or a user is called: they are quoted, never evaluated.
_zmesctl() {
    local cur="${COMP_WORDS[COMP_CWORD]}" value files=''
    # bash takes `--token=1a2b` apart.
    [[ "${cur}" != '=' ]] || cur=''
    COMPREPLY=()
    while IFS= read -r value; do
        value="${value%%$'\t'*}"
        if [[ -z "${value}" ]]; then
            files=1
            continue
        fi
        printf -v value '%q' "${value}"
        if [[ "${value}" == "${cur}"* ]]; then
            COMPREPLY+=("${value}")
        fi
    done < <(command zmesctl __complete bash "${COMP_WORDS[@]:0:COMP_CWORD+1}" </dev/null 2>/dev/null)
    if [[ -z "${files}" ]]; then
        compopt +o default 2>/dev/null
    fi
    return 0
}

complete -o default -o nosort -F _zmesctl zmesctl 2>/dev/null || complete -o default -F _zmesctl zmesctl
