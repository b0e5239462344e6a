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
'--config=[Configuration file \[default\: \$ZMESD_CONFIG, else the user'\''s own, else /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--log-level=[Log level, in place of log.level\: error, warn, info, debug, trace, or "info,zmesd\:\:ws=debug"]:LEVEL:_default' \
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
'--config=[Configuration file \[default\: \$ZMESD_CONFIG, else the user'\''s own, else /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--log-level=[Log level, in place of log.level\: error, warn, info, debug, trace, or "info,zmesd\:\:ws=debug"]:LEVEL:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check-config)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: \$ZMESD_CONFIG, else the user'\''s own, else /etc/zmesd/zmesd.toml\]]:FILE:_files' \
'--json[Print the findings as JSON, in the format of zmesctl doctor]' \
'--rehearse[Also check what else a start needs\: state directory, free addresses, database, providers]' \
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
'--output=[Where to write the new configuration; its secrets go to a directory \`secrets\` beside it]:FILE:_files' \
'--force[Overwrite existing files, except those that are imported]' \
'--json[Print the report as JSON]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::files -- The old files, in any order\: zmeventnotification.pl (0.93 to 0.98), zmeventnotification.ini (1.0 to 6.1) or zmeventnotification.yml (7), with their secrets and es_rules:_files' \
&& ret=0
;;
(demo)
_arguments "${_arguments_options[@]}" : \
'--listen=[Address of the WebSocket server; port 0 means any free port \[default\: 127.0.0.1\:9000, or a free port\]]:ADDR:_default' \
'--monitors=[Number of cameras to simulate]:N:_default' \
'--every=[Time between two alarms]:DURATION:_default' \
'--keep=[Directory for all files, kept at the end \[default\: a temporary one that is removed\]]:DIR:_files' \
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
'run:Run the daemon in the foreground (the default command)' \
'check-config:Check the configuration; list all mistakes with line and hint' \
'default-config:Print the commented default configuration' \
'import-config:Convert the configuration of an older event server, with a report' \
'demo:Run the daemon on a simulated ZoneMinder, with a client' \
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
