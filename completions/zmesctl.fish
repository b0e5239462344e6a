# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_zmesctl_global_optspecs
    string join \n socket= json jsonl timeout= color= q/quiet h/help V/version
end

function __fish_zmesctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_zmesctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_zmesctl_using_subcommand
    set -l cmd (__fish_zmesctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c zmesctl -n "__fish_zmesctl_needs_command" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_needs_command" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_needs_command" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_needs_command" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -s V -l version -d 'Print version'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "status" -d 'Show how zmesd is: monitors, clients, events, database'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "clients" -d 'List or disconnect the apps that are connected'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "tokens" -d 'List the phones that are registered for pushes; silence, revoke, restore, import them'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "badges" -d 'Set the numbers on the apps\' icons'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "monitors" -d 'List the monitors, or read them from ZoneMinder again'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "alarm" -d 'Send a test alarm, or make ZoneMinder itself record'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "push" -d 'Check the ways to phones, or show what waits to be sent'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "watch" -d 'Follow what happens: alarms, decisions, clients, monitors'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "why" -d 'Explain what was decided about an event, for each client and token'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "doctor" -d 'Find out why a phone does not ring: the whole way, step by step, with the command that mends it'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "check" -d 'Check one thing, for monitoring systems: one line with performance data, exit 0 or 1'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "latency" -d 'Show how long alarms take from stage to stage'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "log" -d 'Change the log level of the running daemon'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "reload" -d 'Read the configuration again and apply it'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "config" -d 'Check, print or show the configuration'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c zmesctl -n "__fish_zmesctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -f -a "list" -d 'List the apps that are connected'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -f -a "rejected" -d 'List the clients that were refused, and why'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and not __fish_seen_subcommand_from list rejected disconnect" -f -a "disconnect" -d 'Close the connections of apps'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l state -d 'Only clients that have come so far' -r -f -a "pending\t'Connected, not (yet) authenticated'
authenticated\t'Authenticated: it gets alarms'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l address -d 'Only this address or network' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l since -d 'Only what was refused in this time' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from rejected" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l state -d 'Only clients that have come so far' -r -f -a "pending\t'Connected, not (yet) authenticated'
authenticated\t'Authenticated: it gets alarms'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l address -d 'Only this address or network' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l all -d 'All clients'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "list" -d 'List the registered phones'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "show" -d 'Show all about one phone, and what was lately sent to it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "log" -d 'Show what was decided and done for one phone, newest first'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "revoke" -d 'Revoke phones; `restore` undoes it, and so does opening the app'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "block" -d 'Revoke phones that must not come back, such as stolen ones'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "unblock" -d 'Let the apps of blocked phones register again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "restore" -d 'Take revocations back'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "mute" -d 'Send nothing to phones for a while'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "unmute" -d 'Send to muted phones again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "prune" -d 'Take out the phones of which nothing was heard for a while'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "import" -d 'Take tokens from the tokens.txt of an older event server'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and not __fish_seen_subcommand_from list show log revoke block unblock restore mute unmute prune import export" -f -a "export" -d 'Print the tokens as a tokens.txt, to go back or to keep'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l reveal -d 'Print the tokens themselves: whoever has one can send to the phone'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l reveal -d 'Print the token itself: whoever has it can send to the phone'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l limit -d 'At most so many [default: 100]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l for -d 'Send to them again after this time [default: when they are unmuted]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l stale -d 'Only tokens not seen for at least this long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l stale -d 'Nothing was heard of the app for so long' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l platform -d 'Only phones of this kind' -r -f -a "ios\t'iPhones and iPads'
android\t'Everything with Android'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l user -d 'Only this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l state -d 'Only tokens in this state [default: all but revoked and blocked]' -r -f -a "enabled\t'It gets pushes'
disabled\t'Its app wants no pushes'
muted\t'An admin has silenced it'
revoked\t'It is gone, and can be restored'
blocked\t'It is gone, and its app cannot register it again until an admin unblocks it'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l monitor -d 'Only those that want to hear of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l failing -d 'Only those whose last push failed'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l user -d 'The ZoneMinder user whose rights hold for them [default: nobody, all rights]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -s n -l dry-run -d 'Only say what would be taken'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l format -d 'json for event servers from 6.0 on, colon for older ones' -r -f -a "json\t''
colon\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and not __fish_seen_subcommand_from reset" -f -a "reset" -d 'Set the number on the icon of an app to 0, or to another one'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l to -d 'The number' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l all -d 'All tokens'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -s y -l yes -d 'Do not ask'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -s n -l dry-run -d 'Only say what would happen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -f -a "list" -d 'List the monitors: what they do, and whether their alarms would be seen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and not __fish_seen_subcommand_from list reload" -f -a "reload" -d 'Read monitors, users and rights from ZoneMinder\'s database again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand monitors; and __fish_seen_subcommand_from reload" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -f -a "test" -d 'Send a test alarm to the apps; ZoneMinder knows nothing of it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -f -a "force" -d 'Make ZoneMinder itself record; the alarm takes the normal way'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and not __fish_seen_subcommand_from test force cancel" -f -a "cancel" -d 'Take a forced alarm back'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s m -l monitor -d 'Pretend that this monitor alarms [default: the first that is watched]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l token -d 'Only to this token: its handle, or its last 10 characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s n -l dry-run -d 'Say who would get it, send nothing'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s w -l wait -d 'Wait until every target has it, and show how long that took'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -s m -l monitor -d 'The monitor that shall record' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l for -d 'Cancel it by itself after this time (1s to 1h)' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -s m -l monitor -d 'The monitor whose forced alarm ends' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -f -a "check" -d 'Go to each provider as far as possible without sending anything'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -f -a "queue" -d 'Show what waits to be sent, and how the ways to phones are'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and not __fish_seen_subcommand_from check queue retry" -f -a "retry" -d 'End the rest of a transport that has failed, and send what waits'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from queue" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -s m -l monitor -d 'Only this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l token -d 'Only this token: its handle, or its last 10 characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l user -d 'Only clients and tokens of this ZoneMinder user; `*` stands for any characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l type -d 'Only lines of these types (client is another word for session)' -r -f -a "alarm\t'Alarms that were announced'
decision\t'What was decided for each client and token'
delivery\t'What became of pushes'
session\t'Clients that come, change and leave'
token\t'Tokens that come, change and go'
monitor\t'Monitors whose state or health changes'"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l since -d 'The past first: after this event, this time, or so long ago (10m)' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l count -d 'End after this many events, the state at the start included' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l duration -d 'End after this time' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l token -d 'Only this token: its handle, or its last 10 characters' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -s m -l monitor -d 'Follow an alarm of this monitor' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l config -d 'Configuration to look at where zmesd does not run [default: where zmesd would look]' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l within -d 'For tls and all: the certificate must be valid for at least this much longer [default: a third of its own life, 30 days at most]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l nagios -d 'Exit as plugins do: 0 ok, 1 warning, 2 critical, 3 unknown'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand latency" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and not __fish_seen_subcommand_from level" -f -a "level" -d 'Show the log level, or change it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l for -d 'Go back to the configured level after this time' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -f -a "check" -d 'Check a configuration file: all problems at once; works without the daemon'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -f -a "default" -d 'Print the default configuration with its comments; works without the daemon'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and not __fish_seen_subcommand_from check default show" -f -a "show" -d 'Show the values that the running daemon uses, secrets hidden'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from default" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -l socket -d 'Control socket of zmesd' -r -F
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -l timeout -d 'How long a request may take [default: 5s]' -r -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -l json -d 'Print one JSON document'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -l jsonl -d 'Print one JSON object a line (lists and streams)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -s q -l quiet -d 'Print nothing where all is well; of lists the bare ids and handles, one a line'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "status" -d 'Show how zmesd is: monitors, clients, events, database'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "clients" -d 'List or disconnect the apps that are connected'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "tokens" -d 'List the phones that are registered for pushes; silence, revoke, restore, import them'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "badges" -d 'Set the numbers on the apps\' icons'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "monitors" -d 'List the monitors, or read them from ZoneMinder again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "alarm" -d 'Send a test alarm, or make ZoneMinder itself record'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "push" -d 'Check the ways to phones, or show what waits to be sent'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "watch" -d 'Follow what happens: alarms, decisions, clients, monitors'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "why" -d 'Explain what was decided about an event, for each client and token'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "doctor" -d 'Find out why a phone does not ring: the whole way, step by step, with the command that mends it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "check" -d 'Check one thing, for monitoring systems: one line with performance data, exit 0 or 1'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "latency" -d 'Show how long alarms take from stage to stage'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "log" -d 'Change the log level of the running daemon'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "reload" -d 'Read the configuration again and apply it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "config" -d 'Check, print or show the configuration'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "completions" -d 'Print the completions for a shell'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and not __fish_seen_subcommand_from status clients tokens badges monitors alarm push watch why doctor check latency log reload config completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from clients" -f -a "list" -d 'List the apps that are connected'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from clients" -f -a "rejected" -d 'List the clients that were refused, and why'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from clients" -f -a "disconnect" -d 'Close the connections of apps'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "list" -d 'List the registered phones'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "show" -d 'Show all about one phone, and what was lately sent to it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "log" -d 'Show what was decided and done for one phone, newest first'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "revoke" -d 'Revoke phones; `restore` undoes it, and so does opening the app'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "block" -d 'Revoke phones that must not come back, such as stolen ones'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "unblock" -d 'Let the apps of blocked phones register again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "restore" -d 'Take revocations back'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "mute" -d 'Send nothing to phones for a while'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "unmute" -d 'Send to muted phones again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "prune" -d 'Take out the phones of which nothing was heard for a while'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "import" -d 'Take tokens from the tokens.txt of an older event server'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "export" -d 'Print the tokens as a tokens.txt, to go back or to keep'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from badges" -f -a "reset" -d 'Set the number on the icon of an app to 0, or to another one'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from monitors" -f -a "list" -d 'List the monitors: what they do, and whether their alarms would be seen'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from monitors" -f -a "reload" -d 'Read monitors, users and rights from ZoneMinder\'s database again'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from alarm" -f -a "test" -d 'Send a test alarm to the apps; ZoneMinder knows nothing of it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from alarm" -f -a "force" -d 'Make ZoneMinder itself record; the alarm takes the normal way'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from alarm" -f -a "cancel" -d 'Take a forced alarm back'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from push" -f -a "check" -d 'Go to each provider as far as possible without sending anything'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from push" -f -a "queue" -d 'Show what waits to be sent, and how the ways to phones are'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from push" -f -a "retry" -d 'End the rest of a transport that has failed, and send what waits'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "level" -d 'Show the log level, or change it'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a configuration file: all problems at once; works without the daemon'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "default" -d 'Print the default configuration with its comments; works without the daemon'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show the values that the running daemon uses, secrets hidden'

# What only the daemon knows: handles of tokens, numbers of clients and monitors, names of users.
# The answers were said by phones, cameras and users: fish shows and quotes them, and evaluates nothing.
function __zmesctl_live
    set -l words (commandline -opc)
    set -e words[1]
    command zmesctl completions --candidates $argv[1] -- $words </dev/null 2>/dev/null
end

complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from list" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -f -a '(__zmesctl_live clients)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand clients; and __fish_seen_subcommand_from disconnect" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from list" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from show" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from log" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from revoke" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from block" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -f -a '(__zmesctl_live blocked-tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unblock" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from restore" -f -a '(__zmesctl_live revoked-tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from mute" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -f -a '(__zmesctl_live muted-tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from unmute" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from prune" -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand tokens; and __fish_seen_subcommand_from import" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand badges; and __fish_seen_subcommand_from reset" -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -s m -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from test" -l token -r -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from force" -s m -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand alarm; and __fish_seen_subcommand_from cancel" -s m -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from check" -f -a 'proxy fcm apns'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand push; and __fish_seen_subcommand_from retry" -f -a 'proxy fcm apns'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -s m -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l token -r -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand watch" -l user -r -f -a '(__zmesctl_live users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand why" -l token -r -f -a '(__zmesctl_live tokens)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -f -a '(__zmesctl_live tokens-or-users)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand doctor" -s m -l monitor -r -f -a '(__zmesctl_live monitors)'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand check" -f -a 'ping shm db tls push store all'
complete -c zmesctl -n "__fish_zmesctl_using_subcommand log; and __fish_seen_subcommand_from level" -f
complete -c zmesctl -n "__fish_zmesctl_using_subcommand completions" -f -a 'bash zsh fish'
