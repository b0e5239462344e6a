#compdef zmesctl

autoload -U is-at-least

# What only the daemon knows: handles of tokens, numbers of clients and monitors, names of users.
# The answers were said by phones, cameras and users: they are shown and quoted, never expanded or evaluated.
(( $+functions[_zmesctl_live] )) ||
_zmesctl_live() {
    local kind="${@[-1]}" answer line
    local -a values shown
    shift -p
    answer="$(command zmesctl completions --candidates "$kind" -- "${(@)zmesctl_words}" </dev/null 2>/dev/null)"
    for line in "${(@f)answer}"; do
        [[ -n "$line" ]] || continue
        values+=("${line%%$'\t'*}")
        shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
    done
    (( $#values )) && compadd "$@" -l -d shown -a values
}

_zmesctl() {
    local -a zmesctl_words=("${(@)words[2,CURRENT-1]}")
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(clients)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only clients that have come so far]:pending|authenticated:((pending\:"Connected, not (yet) authenticated"
authenticated\:"Authenticated\: it gets alarms"))' \
'--address=[Only this address or network]:CIDR:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(rejected)
_arguments "${_arguments_options[@]}" : \
'--since=[Only what was refused in this time]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(disconnect)
_arguments "${_arguments_options[@]}" : \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only clients that have come so far]:pending|authenticated:((pending\:"Connected, not (yet) authenticated"
authenticated\:"Authenticated\: it gets alarms"))' \
'--address=[Only this address or network]:CIDR:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All clients]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'*::ids -- The clients, as `clients list` numbers them:_zmesctl_live clients' \
&& ret=0
;;
        esac
    ;;
esac
;;
(tokens)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__tokens_commands" \
"*::: :->tokens" \
&& ret=0

    case $state in
    (tokens)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-tokens-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--failing[Only those whose last push failed]' \
'--reveal[Print the tokens themselves\: whoever has one can send to the phone]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--reveal[Print the token itself\: whoever has it can send to the phone]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
':token -- Its handle, or the last 10 characters of the token:_zmesctl_live tokens' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'--limit=[At most so many \[default\: 100\]]:N:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
':token -- Its handle, or the last 10 characters of the token:_zmesctl_live tokens' \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All tokens]' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live tokens' \
&& ret=0
;;
(block)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All tokens]' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live tokens' \
&& ret=0
;;
(unblock)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All tokens]' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live blocked-tokens' \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live revoked-tokens' \
&& ret=0
;;
(mute)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--for=[Send to them again after this time \[default\: when they are unmuted\]]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All tokens]' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live tokens' \
&& ret=0
;;
(unmute)
_arguments "${_arguments_options[@]}" : \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--stale=[Only tokens not seen for at least this long]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--all[All tokens]' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live muted-tokens' \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
'--stale=[Nothing was heard of the app for so long]:DURATION:' \
'--platform=[Only phones of this kind]:ios|android:((ios\:"iPhones and iPads"
android\:"Everything with Android"))' \
'--user=[Only this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'--state=[Only tokens in this state \[default\: all but revoked and blocked\]]:STATE:((enabled\:"It gets pushes"
disabled\:"Its app wants no pushes"
muted\:"An admin has silenced it"
revoked\:"It is gone, and can be restored"
blocked\:"It is gone, and its app cannot register it again until an admin unblocks it"))' \
'--monitor=[Only those that want to hear of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--failing[Only those whose last push failed]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--user=[The ZoneMinder user whose rights hold for them \[default\: nobody, all rights\]]:USER:_zmesctl_live users' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'-n[Only say what would be taken]' \
'--dry-run[Only say what would be taken]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
':file -- A tokens.txt of any event server before zmesd; `-` reads the standard input:' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--format=[json for event servers from 6.0 on, colon for older ones]:FORMAT:(json colon)' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(badges)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__badges_commands" \
"*::: :->badges" \
&& ret=0

    case $state in
    (badges)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-badges-command-$line[1]:"
        case $line[1] in
            (reset)
_arguments "${_arguments_options[@]}" : \
'--to=[The number]:N:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'()--all[All tokens]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-n[Only say what would happen]' \
'--dry-run[Only say what would happen]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'*::tokens -- Handles, unique prefixes of them, or the last 10 characters of tokens:_zmesctl_live tokens' \
&& ret=0
;;
        esac
    ;;
esac
;;
(monitors)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'-m+[Pretend that this monitor alarms \[default\: the first that is watched\]]:ID|NAME:_zmesctl_live monitors' \
'--monitor=[Pretend that this monitor alarms \[default\: the first that is watched\]]:ID|NAME:_zmesctl_live monitors' \
'--token=[Only to this token\: its handle, or its last 10 characters]:T:_zmesctl_live tokens' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'-n[Say who would get it, send nothing]' \
'--dry-run[Say who would get it, send nothing]' \
'-w[Wait until every target has it, and show how long that took]' \
'--wait[Wait until every target has it, and show how long that took]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(force)
_arguments "${_arguments_options[@]}" : \
'-m+[The monitor that shall record]:ID|NAME:_zmesctl_live monitors' \
'--monitor=[The monitor that shall record]:ID|NAME:_zmesctl_live monitors' \
'--for=[Cancel it by itself after this time (1s to 1h)]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(cancel)
_arguments "${_arguments_options[@]}" : \
'-m+[The monitor whose forced alarm ends]:ID|NAME:_zmesctl_live monitors' \
'--monitor=[The monitor whose forced alarm ends]:ID|NAME:_zmesctl_live monitors' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(push)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_zmesctl__subcmd__push_commands" \
"*::: :->push" \
&& ret=0

    case $state in
    (push)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-push-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::transport -- Only this one:((proxy\:"A PushProxy in the style of AirNotifier"
fcm\:"Firebase, directly or through function proxies"
apns\:"Apple, directly"))' \
&& ret=0
;;
(queue)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(retry)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::transport -- Only this one:((proxy\:"A PushProxy in the style of AirNotifier"
fcm\:"Firebase, directly or through function proxies"
apns\:"Apple, directly"))' \
&& ret=0
;;
        esac
    ;;
esac
;;
(watch)
_arguments "${_arguments_options[@]}" : \
'-m+[Only this monitor]:ID|NAME:_zmesctl_live monitors' \
'--monitor=[Only this monitor]:ID|NAME:_zmesctl_live monitors' \
'--token=[Only this token\: its handle, or its last 10 characters]:T:_zmesctl_live tokens' \
'--user=[Only clients and tokens of this ZoneMinder user; \`*\` stands for any characters]:USER:_zmesctl_live users' \
'*--type=[Only lines of these types (client is another word for session)]:TYPE:((alarm\:"Alarms that were announced"
decision\:"What was decided for each client and token"
delivery\:"What became of pushes"
session\:"Clients that come, change and leave"
token\:"Tokens that come, change and go"
monitor\:"Monitors whose state or health changes"))' \
'--since=[The past first\: after this event, this time, or so long ago (10m)]:SINCE:' \
'--count=[End after this many events, the state at the start included]:N:' \
'--duration=[End after this time]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(why)
_arguments "${_arguments_options[@]}" : \
'--token=[Only this token\: its handle, or its last 10 characters]:T:_zmesctl_live tokens' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
':event -- ZoneMinder'\''s event id:' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'-m+[Follow an alarm of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--monitor=[Follow an alarm of this monitor]:ID|NAME:_zmesctl_live monitors' \
'--config=[Configuration to look at where zmesd does not run \[default\: where zmesd would look\]]:FILE:_files' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'::target -- A token (its handle, or its last 10 characters) or a user of ZoneMinder \[default\: the installation\]:_zmesctl_live tokens-or-users' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--within=[For tls and all\: the certificate must be valid for at least this much longer \[default\: a third of its own life, 30 days at most\]]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--nagios[Exit as plugins do\: 0 ok, 1 warning, 2 critical, 3 unknown]' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':check -- What to look at:((ping\:"The daemon answers, and its poller and router move"
shm\:"Every watched monitor'\''s shared memory is alive"
db\:"ZoneMinder'\''s database answers"
tls\:"The certificate is valid, and for long enough"
push\:"Every provider of pushes can be reached and accepts us"
store\:"The daemon'\''s own state can be read and written"
all\:"All of them"))' \
&& ret=0
;;
(latency)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--for=[Go back to the configured level after this time]:DURATION:' \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'::level -- error, warn, info, debug, trace, or directives such as zmesd\:\:ws=debug \[default\: show it\]:' \
&& ret=0
;;
        esac
    ;;
esac
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
'::file -- The file \[default\: where zmesd would look\]:_files' \
&& ret=0
;;
(default)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--socket=[Control socket of zmesd]:PATH:_files' \
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
'--timeout=[How long a request may take \[default\: 5s\]]:DURATION:' \
'--color=[Use colours]:WHEN:(auto always never)' \
'--json[Print one JSON document]' \
'--jsonl[Print one JSON object a line (lists and streams)]' \
'-q[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
'--quiet[Print nothing where all is well; of lists the bare ids and handles, one a line]' \
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
(rejected)
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
(tokens)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__tokens_commands" \
"*::: :->tokens" \
&& ret=0

    case $state in
    (tokens)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-tokens-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(block)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(unblock)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(mute)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(unmute)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(badges)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__badges_commands" \
"*::: :->badges" \
&& ret=0

    case $state in
    (badges)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-badges-command-$line[1]:"
        case $line[1] in
            (reset)
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
(push)
_arguments "${_arguments_options[@]}" : \
":: :_zmesctl__subcmd__help__subcmd__push_commands" \
"*::: :->push" \
&& ret=0

    case $state in
    (push)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:zmesctl-help-push-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(queue)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(retry)
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
(why)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(latency)
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
'tokens:List the phones that are registered for pushes; silence, revoke, restore, import them' \
'badges:Set the numbers on the apps'\'' icons' \
'monitors:List the monitors, or read them from ZoneMinder again' \
'alarm:Send a test alarm, or make ZoneMinder itself record' \
'push:Check the ways to phones, or show what waits to be sent' \
'watch:Follow what happens\: alarms, decisions, clients, monitors' \
'why:Explain what was decided about an event, for each client and token' \
'doctor:Find out why a phone does not ring\: the whole way, step by step, with the command that mends it' \
'check:Check one thing, for monitoring systems\: one line with performance data, exit 0 or 1' \
'latency:Show how long alarms take from stage to stage' \
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
(( $+functions[_zmesctl__subcmd__badges_commands] )) ||
_zmesctl__subcmd__badges_commands() {
    local commands; commands=(
'reset:Set the number on the icon of an app to 0, or to another one' \
    )
    _describe -t commands 'zmesctl badges commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__badges__subcmd__reset_commands] )) ||
_zmesctl__subcmd__badges__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl badges reset commands' commands "$@"
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
'rejected:List the clients that were refused, and why' \
'disconnect:Close the connections of apps' \
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
(( $+functions[_zmesctl__subcmd__clients__subcmd__rejected_commands] )) ||
_zmesctl__subcmd__clients__subcmd__rejected_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl clients rejected commands' commands "$@"
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
(( $+functions[_zmesctl__subcmd__doctor_commands] )) ||
_zmesctl__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl doctor commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help_commands] )) ||
_zmesctl__subcmd__help_commands() {
    local commands; commands=(
'status:Show how zmesd is\: monitors, clients, events, database' \
'clients:List or disconnect the apps that are connected' \
'tokens:List the phones that are registered for pushes; silence, revoke, restore, import them' \
'badges:Set the numbers on the apps'\'' icons' \
'monitors:List the monitors, or read them from ZoneMinder again' \
'alarm:Send a test alarm, or make ZoneMinder itself record' \
'push:Check the ways to phones, or show what waits to be sent' \
'watch:Follow what happens\: alarms, decisions, clients, monitors' \
'why:Explain what was decided about an event, for each client and token' \
'doctor:Find out why a phone does not ring\: the whole way, step by step, with the command that mends it' \
'check:Check one thing, for monitoring systems\: one line with performance data, exit 0 or 1' \
'latency:Show how long alarms take from stage to stage' \
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
(( $+functions[_zmesctl__subcmd__help__subcmd__badges_commands] )) ||
_zmesctl__subcmd__help__subcmd__badges_commands() {
    local commands; commands=(
'reset:Set the number on the icon of an app to 0, or to another one' \
    )
    _describe -t commands 'zmesctl help badges commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__badges__subcmd__reset_commands] )) ||
_zmesctl__subcmd__help__subcmd__badges__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help badges reset commands' commands "$@"
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
'rejected:List the clients that were refused, and why' \
'disconnect:Close the connections of apps' \
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
(( $+functions[_zmesctl__subcmd__help__subcmd__clients__subcmd__rejected_commands] )) ||
_zmesctl__subcmd__help__subcmd__clients__subcmd__rejected_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help clients rejected commands' commands "$@"
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
(( $+functions[_zmesctl__subcmd__help__subcmd__doctor_commands] )) ||
_zmesctl__subcmd__help__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help doctor commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__help_commands] )) ||
_zmesctl__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help help commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__latency_commands] )) ||
_zmesctl__subcmd__help__subcmd__latency_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help latency commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__log_commands] )) ||
_zmesctl__subcmd__help__subcmd__log_commands() {
    local commands; commands=(
'level:Show the log level, or change it' \
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
(( $+functions[_zmesctl__subcmd__help__subcmd__push_commands] )) ||
_zmesctl__subcmd__help__subcmd__push_commands() {
    local commands; commands=(
'check:Go to each provider as far as possible without sending anything' \
'queue:Show what waits to be sent, and how the ways to phones are' \
'retry:End the rest of a transport that has failed, and send what waits' \
    )
    _describe -t commands 'zmesctl help push commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__push__subcmd__check_commands] )) ||
_zmesctl__subcmd__help__subcmd__push__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help push check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__push__subcmd__queue_commands] )) ||
_zmesctl__subcmd__help__subcmd__push__subcmd__queue_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help push queue commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__push__subcmd__retry_commands] )) ||
_zmesctl__subcmd__help__subcmd__push__subcmd__retry_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help push retry commands' commands "$@"
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
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens_commands() {
    local commands; commands=(
'list:List the registered phones' \
'show:Show all about one phone, and what was lately sent to it' \
'log:Show what was decided and done for one phone, newest first' \
'revoke:Revoke phones; \`restore\` undoes it, and so does opening the app' \
'block:Revoke phones that must not come back, such as stolen ones' \
'unblock:Let the apps of blocked phones register again' \
'restore:Take revocations back' \
'mute:Send nothing to phones for a while' \
'unmute:Send to muted phones again' \
'prune:Take out the phones of which nothing was heard for a while' \
'import:Take tokens from the tokens.txt of an older event server' \
'export:Print the tokens as a tokens.txt, to go back or to keep' \
    )
    _describe -t commands 'zmesctl help tokens commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__block_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__block_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens block commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__export_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens export commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__import_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens import commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__list_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__log_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__log_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens log commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__mute_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__mute_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens mute commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__prune_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__prune_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens prune commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__restore_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens restore commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__revoke_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens revoke commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__show_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens show commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__unblock_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__unblock_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens unblock commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__tokens__subcmd__unmute_commands] )) ||
_zmesctl__subcmd__help__subcmd__tokens__subcmd__unmute_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help tokens unmute commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__watch_commands] )) ||
_zmesctl__subcmd__help__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help watch commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__help__subcmd__why_commands] )) ||
_zmesctl__subcmd__help__subcmd__why_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl help why commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__latency_commands] )) ||
_zmesctl__subcmd__latency_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl latency commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__log_commands] )) ||
_zmesctl__subcmd__log_commands() {
    local commands; commands=(
'level:Show the log level, or change it' \
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
(( $+functions[_zmesctl__subcmd__push_commands] )) ||
_zmesctl__subcmd__push_commands() {
    local commands; commands=(
'check:Go to each provider as far as possible without sending anything' \
'queue:Show what waits to be sent, and how the ways to phones are' \
'retry:End the rest of a transport that has failed, and send what waits' \
    )
    _describe -t commands 'zmesctl push commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__push__subcmd__check_commands] )) ||
_zmesctl__subcmd__push__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl push check commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__push__subcmd__queue_commands] )) ||
_zmesctl__subcmd__push__subcmd__queue_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl push queue commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__push__subcmd__retry_commands] )) ||
_zmesctl__subcmd__push__subcmd__retry_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl push retry commands' commands "$@"
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
(( $+functions[_zmesctl__subcmd__tokens_commands] )) ||
_zmesctl__subcmd__tokens_commands() {
    local commands; commands=(
'list:List the registered phones' \
'show:Show all about one phone, and what was lately sent to it' \
'log:Show what was decided and done for one phone, newest first' \
'revoke:Revoke phones; \`restore\` undoes it, and so does opening the app' \
'block:Revoke phones that must not come back, such as stolen ones' \
'unblock:Let the apps of blocked phones register again' \
'restore:Take revocations back' \
'mute:Send nothing to phones for a while' \
'unmute:Send to muted phones again' \
'prune:Take out the phones of which nothing was heard for a while' \
'import:Take tokens from the tokens.txt of an older event server' \
'export:Print the tokens as a tokens.txt, to go back or to keep' \
    )
    _describe -t commands 'zmesctl tokens commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__block_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__block_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens block commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__export_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens export commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__import_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens import commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__list_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens list commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__log_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__log_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens log commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__mute_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__mute_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens mute commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__prune_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__prune_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens prune commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__restore_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens restore commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__revoke_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens revoke commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__show_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens show commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__unblock_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__unblock_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens unblock commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__tokens__subcmd__unmute_commands] )) ||
_zmesctl__subcmd__tokens__subcmd__unmute_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl tokens unmute commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__watch_commands] )) ||
_zmesctl__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl watch commands' commands "$@"
}
(( $+functions[_zmesctl__subcmd__why_commands] )) ||
_zmesctl__subcmd__why_commands() {
    local commands; commands=()
    _describe -t commands 'zmesctl why commands' commands "$@"
}

if [ "$funcstack[1]" = "_zmesctl" ]; then
    _zmesctl "$@"
else
    compdef _zmesctl zmesctl
fi
