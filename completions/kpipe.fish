# fish completion for kpipe, printed by `kpipe completions fish`.
# kpipe itself knows what can follow; it is asked at each TAB and waits for no network.

function __kpipe_complete
    set --local before (commandline --current-process --tokenize --cut-at-cursor)
    set --local current (commandline --current-token --cut-at-cursor)
    for line in ($before[1] complete (count $before) -- $before "$current" 2>/dev/null)
        if string match --quiet -- ':files*' $line
            __fish_complete_path (string replace --regex -- '^--[^=]*=' '' "$current")
            return
        end
        printf '%s\n' $line
    end
end

complete --command kpipe --no-files --keep-order --arguments '(__kpipe_complete)'
