#compdef zmesd

autoload -U is-at-least

_zmesd() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: \$ZMESD_CONFIG, the user'\''s own if it exists, /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--log-level=[The level of the log, in place of log.level\: error, warn, info, debug, trace, or "info,zmesd\:\:ws=debug"]:LEVEL:_default' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_zmesd_commands" \
"*::: :->zmesd" \
&& ret=0
    case $state in
    (zmesd)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesd-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: \$ZMESD_CONFIG, the user'\''s own if it exists, /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--log-level=[The level of the log, in place of log.level\: error, warn, info, debug, trace, or "info,zmesd\:\:ws=debug"]:LEVEL:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check-config)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: \$ZMESD_CONFIG, the user'\''s own if it exists, /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--json[Print the findings as one JSON document, in the form of zmesctl doctor]' \
'--rehearse[Look also at what else a start needs\: a place for the state, addresses that are free]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(default-config)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(import-config)
_arguments "${_arguments_options[@]}" : \
'--output=[Write the new configuration here, and its secrets into files in the directory \`secrets\` beside it]:FILE:_files' \
'--force[Overwrite existing files, except those that are imported]' \
'--json[Print the report as one JSON document]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::files -- The old files, in any order\: zmeventnotification.pl (0.93 to 0.98), zmeventnotification.ini (1.0 to 6.1) or zmeventnotification.yml (7), with their secrets and es_rules:_files' \
&& ret=0
;;
(demo)
_arguments "${_arguments_options[@]}" : \
'--listen=[Address of the WebSocket server; port 0\: a free one \[default\: 127.0.0.1\:9000, or a free port\]]:ADDR:_default' \
'--monitors=[How many cameras to simulate]:N:_default' \
'--every=[How often one of them sees something]:DURATION:_default' \
'--keep=[Keep all files in this directory instead of removing them at the end]:DIR:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_zmesd_commands] )) ||
_zmesd_commands() {
    local commands; commands=(
'run:Serve in the foreground; log to standard error or the journal (the default)' \
'check-config:Say all that is wrong with the configuration, each with file, line, key and a hint; exit 0 or 78' \
'default-config:Print the commented default configuration' \
'import-config:Make a zmesd.toml of an older event server'\''s configuration, with a report of what became of each line' \
'demo:Run the real daemon on a simulated ZoneMinder, with a client that prints each alarm as it arrives' \
    )
    _describe -t commands 'zmesd commands' commands "$@"
}
(( $+functions[_zmesd__subcmd__check-config_commands] )) ||
_zmesd__subcmd__check-config_commands() {
    local commands; commands=()
    _describe -t commands 'zmesd check-config commands' commands "$@"
}
(( $+functions[_zmesd__subcmd__default-config_commands] )) ||
_zmesd__subcmd__default-config_commands() {
    local commands; commands=()
    _describe -t commands 'zmesd default-config commands' commands "$@"
}
(( $+functions[_zmesd__subcmd__demo_commands] )) ||
_zmesd__subcmd__demo_commands() {
    local commands; commands=()
    _describe -t commands 'zmesd demo commands' commands "$@"
}
(( $+functions[_zmesd__subcmd__import-config_commands] )) ||
_zmesd__subcmd__import-config_commands() {
    local commands; commands=()
    _describe -t commands 'zmesd import-config commands' commands "$@"
}
(( $+functions[_zmesd__subcmd__run_commands] )) ||
_zmesd__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'zmesd run commands' commands "$@"
}

if [ "$funcstack[1]" = "_zmesd" ]; then
    _zmesd "$@"
else
    compdef _zmesd zmesd
fi
