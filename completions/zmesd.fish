# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_zmesd_global_optspecs
    string join \n config= log-level= h/help V/version
end

function __fish_zmesd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_zmesd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_zmesd_using_subcommand
    set -l cmd (__fish_zmesd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c zmesd -n "__fish_zmesd_needs_command" -l config -d 'The configuration [default: $ZMESD_CONFIG, the user\'s own if it exists, /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_needs_command" -l log-level -d 'The level of the log, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug"' -r
complete -c zmesd -n "__fish_zmesd_needs_command" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_needs_command" -s V -l version -d 'Print version'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "run" -d 'Serve in the foreground; log to standard error or the journal (the default)'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "check-config" -d 'Say all that is wrong with the configuration, each with file, line, key and a hint; exit 0 or 78'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "default-config" -d 'Print the commented default configuration'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "import-config" -d 'Make a zmesd.toml of an older event server\'s configuration, with a report of what became of each line'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "demo" -d 'Run the real daemon on a simulated ZoneMinder, with a client that prints each alarm as it arrives'
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -l config -d 'The configuration [default: $ZMESD_CONFIG, the user\'s own if it exists, /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -l log-level -d 'The level of the log, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug"' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l config -d 'The configuration [default: $ZMESD_CONFIG, the user\'s own if it exists, /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l json -d 'Print the findings as one JSON document, in the form of zmesctl doctor'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l rehearse -d 'Look also at what else a start needs: a place for the state, addresses that are free'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand default-config" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l output -d 'Write the new configuration here, and its secrets into files in the directory `secrets` beside it' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l force -d 'Overwrite existing files, except those that are imported'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l json -d 'Print the report as one JSON document'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l listen -d 'Address of the WebSocket server; port 0: a free one [default: 127.0.0.1:9000, or a free port]' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l monitors -d 'How many cameras to simulate' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l every -d 'How often one of them sees something' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l keep -d 'Keep all files in this directory instead of removing them at the end' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -s h -l help -d 'Print help'
