function _orchesjob_flow_completion
    set -l typed (commandline -cp | string join ' ')
    for line in (env _ORCHESJOB_FLOW_LINE=$typed _ORCHESJOB_FLOW_COMPLETE=fish_complete orchesjob-flow 2> /dev/null)
        switch $line
            case 'plain,*'
                string sub --start 7 -- $line
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
        end
    end
end

complete --no-files --keep-order --command orchesjob-flow --arguments '(_orchesjob_flow_completion)'
