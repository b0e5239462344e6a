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

complete -c zmesd -n "__fish_zmesd_needs_command" -l config -d 'Configuration file [default: $ZMESD_CONFIG, else the user\'s own, else /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_needs_command" -l log-level -d 'Log level, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug"' -r
complete -c zmesd -n "__fish_zmesd_needs_command" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_needs_command" -s V -l version -d 'Print version'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "run" -d 'Run the daemon in the foreground (the default command)'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "check-config" -d 'Check the configuration; list all mistakes with line and hint'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "default-config" -d 'Print the commented default configuration'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "import-config" -d 'Convert the configuration of an older event server, with a report'
complete -c zmesd -n "__fish_zmesd_needs_command" -f -a "demo" -d 'Run the daemon on a simulated ZoneMinder, with a client'
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -l config -d 'Configuration file [default: $ZMESD_CONFIG, else the user\'s own, else /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -l log-level -d 'Log level, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug"' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand run" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l config -d 'Configuration file [default: $ZMESD_CONFIG, else the user\'s own, else /etc/zmesd/zmesd.toml]' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l json -d 'Print the findings as JSON, in the format of zmesctl doctor'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -l rehearse -d 'Also check what else a start needs: state directory, free addresses, database, providers'
complete -c zmesd -n "__fish_zmesd_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand default-config" -s h -l help -d 'Print help'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l output -d 'Where to write the new configuration; its secrets go to a directory `secrets` beside it' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l force -d 'Overwrite existing files, except those that are imported'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -l json -d 'Print the report as JSON'
complete -c zmesd -n "__fish_zmesd_using_subcommand import-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l listen -d 'Address of the WebSocket server; port 0 means any free port [default: 127.0.0.1:9000, or a free port]' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l monitors -d 'Number of cameras to simulate' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l every -d 'Time between two alarms' -r
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -l keep -d 'Directory for all files, kept at the end [default: a temporary one that is removed]' -r -F
complete -c zmesd -n "__fish_zmesd_using_subcommand demo" -s h -l help -d 'Print help'
