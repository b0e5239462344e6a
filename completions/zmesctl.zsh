#compdef zmesctl

autoload -U is-at-least

_zmesctl() {
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
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_zmesctl_commands" \
"*::: :->zmesctl" \
&& ret=0
    case $state in
    (zmesctl)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(clients)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__clients_commands" \
"*::: :->clients" \
&& ret=0

    case $state in
    (clients)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-clients-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_default' \
'--state=[Only clients that have come so far]:pending|authenticated:((pending\:"Connected, not (yet) authenticated"
authenticated\:"Authenticated\: it gets alarms"))' \
'--address=[Only this address or network]:CIDR:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(disconnect)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- The client, as `clients list` numbers it:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(monitors)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__monitors_commands" \
"*::: :->monitors" \
&& ret=0

    case $state in
    (monitors)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-monitors-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(alarm)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__alarm_commands" \
"*::: :->alarm" \
&& ret=0

    case $state in
    (alarm)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-alarm-command-$line[1]:"
        case $line[1] in
            (test)
_arguments "${_arguments_options[@]}" : \
'-m+[Pretend that this monitor alarms \[default\: the first that is watched\]]:ID:_default' \
'--monitor=[Pretend that this monitor alarms \[default\: the first that is watched\]]:ID:_default' \
'--token=[Only to this token (handle)]:TOKEN:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'-n[Say who would get it, send nothing]' \
'--dry-run[Say who would get it, send nothing]' \
'-w[Wait until every target has it, and show how long that took]' \
'--wait[Wait until every target has it, and show how long that took]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(force)
_arguments "${_arguments_options[@]}" : \
'-m+[The monitor that shall record]:ID:_default' \
'--monitor=[The monitor that shall record]:ID:_default' \
'--for=[Cancel it by itself after this time (1s to 1h)]:DURATION:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(cancel)
_arguments "${_arguments_options[@]}" : \
'-m+[The monitor whose forced alarm ends]:ID:_default' \
'--monitor=[The monitor whose forced alarm ends]:ID:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(watch)
_arguments "${_arguments_options[@]}" : \
'-m+[Only this monitor]:ID:_default' \
'--monitor=[Only this monitor]:ID:_default' \
'--token=[Only this token (handle)]:TOKEN:_default' \
'--since=[Past alarms first\: after this event, this time, or so long ago (10m)]:SINCE:_default' \
'--count=[End after this many events, the state at the start included]:N:_default' \
'--duration=[End after this time]:DURATION:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--within=[For tls and all\: the certificate must be valid for so much longer]:DURATION:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':check -- What to look at:((ping\:"The daemon answers, and its poller and router move"
shm\:"Every watched monitor'\''s shared memory is alive"
db\:"ZoneMinder'\''s database answers"
tls\:"The certificate is valid, and for long enough"
all\:"All of them"))' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__log_commands" \
"*::: :->log" \
&& ret=0

    case $state in
    (log)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-log-command-$line[1]:"
        case $line[1] in
            (level)
_arguments "${_arguments_options[@]}" : \
'--for=[Go back to the configured level after this time]:DURATION:_default' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
':level -- error, warn, info, debug, trace, or directives such as zmesd\:\:ws=debug:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
'::file -- The file \[default\: where zmesd would look\]:_files' \
&& ret=0
;;
(default)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:_default' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well]' \
'--quiet[Print nothing where all is well]' \
'-h[Print help]' \
'--help[Print help]' \
':shell -- The shell:(bash zsh fish)' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(clients)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__clients_commands" \
"*::: :->clients" \
&& ret=0

    case $state in
    (clients)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-clients-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(disconnect)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(monitors)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__monitors_commands" \
"*::: :->monitors" \
&& ret=0

    case $state in
    (monitors)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-monitors-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(alarm)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__alarm_commands" \
"*::: :->alarm" \
&& ret=0

    case $state in
    (alarm)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-alarm-command-$line[1]:"
        case $line[1] in
            (test)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(force)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(cancel)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(watch)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__log_commands" \
"*::: :->log" \
&& ret=0

    case $state in
    (log)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-log-command-$line[1]:"
        case $line[1] in
            (level)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(reload)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(default)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_zmesctl_commands] )) ||
_zmesctl_commands() {
    local commands; commands=(
'status:Show how zmesd is\: monitors, clients, events, database' \
'clients:List or disconnect the apps that are connected' \
'monitors:List the monitors, or read them from ZoneMinder again' \
'alarm:Send a test alarm, or make ZoneMinder itself record' \
'watch:Follow what happens\: alarms, decisions, clients, monitors' \
'check:Check one thing, for monitoring systems\: OK or FAIL, exit 0 or 1' \
'log:Change the log level of the running daemon' \
'reload:Read the configuration again and apply it' \
'config:Check, print or show the configuration' \
'completions:Print the completions for a shell' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'zmesctl commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__alarm_commands] )) ||
_zmesctl__subcmd__alarm_commands() {
    local commands; commands=(
'test:Send a test alarm to the apps; ZoneMinder knows nothing of it' \
'force:Make ZoneMinder itself record; the alarm takes the normal way' \
'cancel:Take a forced alarm back' \
    )
    _describe -t commands 'zmesctl alarm commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__alarm__subcmd__cancel_commands] )) ||
_zmesctl__subcmd__alarm__subcmd__cancel_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl alarm cancel commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__alarm__subcmd__force_commands] )) ||
_zmesctl__subcmd__alarm__subcmd__force_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl alarm force commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__alarm__subcmd__test_commands] )) ||
_zmesctl__subcmd__alarm__subcmd__test_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl alarm test commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__check_commands] )) ||
_zmesctl__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__clients_commands] )) ||
_zmesctl__subcmd__clients_commands() {
    local commands; commands=(
'list:List the apps that are connected' \
'disconnect:Close an app'\''s connection' \
    )
    _describe -t commands 'zmesctl clients commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__clients__subcmd__disconnect_commands] )) ||
_zmesctl__subcmd__clients__subcmd__disconnect_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl clients disconnect commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__clients__subcmd__list_commands] )) ||
_zmesctl__subcmd__clients__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl clients list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__completions_commands] )) ||
_zmesctl__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl completions commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__config_commands] )) ||
_zmesctl__subcmd__config_commands() {
    local commands; commands=(
'check:Check a configuration file\: all problems at once; works without the daemon' \
'default:Print the default configuration with its comments; works without the daemon' \
'show:Show the values that the running daemon uses, secrets hidden' \
    )
    _describe -t commands 'zmesctl config commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__config__subcmd__check_commands] )) ||
_zmesctl__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl config check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__config__subcmd__default_commands] )) ||
_zmesctl__subcmd__config__subcmd__default_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl config default commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__config__subcmd__show_commands] )) ||
_zmesctl__subcmd__config__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl config show commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help_commands] )) ||
_zmesctl__subcmd__help_commands() {
    local commands; commands=(
'status:Show how zmesd is\: monitors, clients, events, database' \
'clients:List or disconnect the apps that are connected' \
'monitors:List the monitors, or read them from ZoneMinder again' \
'alarm:Send a test alarm, or make ZoneMinder itself record' \
'watch:Follow what happens\: alarms, decisions, clients, monitors' \
'check:Check one thing, for monitoring systems\: OK or FAIL, exit 0 or 1' \
'log:Change the log level of the running daemon' \
'reload:Read the configuration again and apply it' \
'config:Check, print or show the configuration' \
'completions:Print the completions for a shell' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'zmesctl help commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__alarm_commands] )) ||
_zmesctl__subcmd__help__subcmd__alarm_commands() {
    local commands; commands=(
'test:Send a test alarm to the apps; ZoneMinder knows nothing of it' \
'force:Make ZoneMinder itself record; the alarm takes the normal way' \
'cancel:Take a forced alarm back' \
    )
    _describe -t commands 'zmesctl help alarm commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__alarm__subcmd__cancel_commands] )) ||
_zmesctl__subcmd__help__subcmd__alarm__subcmd__cancel_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help alarm cancel commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__alarm__subcmd__force_commands] )) ||
_zmesctl__subcmd__help__subcmd__alarm__subcmd__force_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help alarm force commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__alarm__subcmd__test_commands] )) ||
_zmesctl__subcmd__help__subcmd__alarm__subcmd__test_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help alarm test commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__check_commands] )) ||
_zmesctl__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__clients_commands] )) ||
_zmesctl__subcmd__help__subcmd__clients_commands() {
    local commands; commands=(
'list:List the apps that are connected' \
'disconnect:Close an app'\''s connection' \
    )
    _describe -t commands 'zmesctl help clients commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__clients__subcmd__disconnect_commands] )) ||
_zmesctl__subcmd__help__subcmd__clients__subcmd__disconnect_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help clients disconnect commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__clients__subcmd__list_commands] )) ||
_zmesctl__subcmd__help__subcmd__clients__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help clients list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__completions_commands] )) ||
_zmesctl__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help completions commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__config_commands] )) ||
_zmesctl__subcmd__help__subcmd__config_commands() {
    local commands; commands=(
'check:Check a configuration file\: all problems at once; works without the daemon' \
'default:Print the default configuration with its comments; works without the daemon' \
'show:Show the values that the running daemon uses, secrets hidden' \
    )
    _describe -t commands 'zmesctl help config commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__config__subcmd__check_commands] )) ||
_zmesctl__subcmd__help__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help config check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__config__subcmd__default_commands] )) ||
_zmesctl__subcmd__help__subcmd__config__subcmd__default_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help config default commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__config__subcmd__show_commands] )) ||
_zmesctl__subcmd__help__subcmd__config__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help config show commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__help_commands] )) ||
_zmesctl__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help help commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__log_commands] )) ||
_zmesctl__subcmd__help__subcmd__log_commands() {
    local commands; commands=(
'level:Change the log level' \
    )
    _describe -t commands 'zmesctl help log commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__log__subcmd__level_commands] )) ||
_zmesctl__subcmd__help__subcmd__log__subcmd__level_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help log level commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__monitors_commands] )) ||
_zmesctl__subcmd__help__subcmd__monitors_commands() {
    local commands; commands=(
'list:List the monitors\: what they do, and whether their alarms would be seen' \
'reload:Read monitors, users and rights from ZoneMinder'\''s database again' \
    )
    _describe -t commands 'zmesctl help monitors commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__monitors__subcmd__list_commands] )) ||
_zmesctl__subcmd__help__subcmd__monitors__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help monitors list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__monitors__subcmd__reload_commands] )) ||
_zmesctl__subcmd__help__subcmd__monitors__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help monitors reload commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__reload_commands] )) ||
_zmesctl__subcmd__help__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help reload commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__status_commands] )) ||
_zmesctl__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help status commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__watch_commands] )) ||
_zmesctl__subcmd__help__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help watch commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__log_commands] )) ||
_zmesctl__subcmd__log_commands() {
    local commands; commands=(
'level:Change the log level' \
    )
    _describe -t commands 'zmesctl log commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__log__subcmd__level_commands] )) ||
_zmesctl__subcmd__log__subcmd__level_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl log level commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__monitors_commands] )) ||
_zmesctl__subcmd__monitors_commands() {
    local commands; commands=(
'list:List the monitors\: what they do, and whether their alarms would be seen' \
'reload:Read monitors, users and rights from ZoneMinder'\''s database again' \
    )
    _describe -t commands 'zmesctl monitors commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__monitors__subcmd__list_commands] )) ||
_zmesctl__subcmd__monitors__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl monitors list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__monitors__subcmd__reload_commands] )) ||
_zmesctl__subcmd__monitors__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl monitors reload commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__reload_commands] )) ||
_zmesctl__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl reload commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__status_commands] )) ||
_zmesctl__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl status commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__watch_commands] )) ||
_zmesctl__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl watch commands' commands "$@"
}

if [ "$funcstack[1]" = "_zmesctl" ]; then
    _zmesctl "$@"
else
    compdef _zmesctl zmesctl
fi
