# bash completion for kpipe, printed by `kpipe completions bash`.
# kpipe itself knows what can follow; it is asked at each TAB and waits for no network.

_kpipe() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word current prefix
    local -i i
    # bash splits words at `=` and `:` too; what has no blank in between is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then word=$2; fi
        if ((i == 0)) || [[ $line == [[:blank:]]* ]]; then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
        line=${line#"${line%%[![:blank:]]*}"}
        line=${line#"$word"}
    done
    current=${words[${#words[@]} - 1]}
    prefix=${current%"$2"}

    COMPREPLY=()
    while IFS= read -r word; do
        word=${word%%$'\t'*}
        if [[ $word == :files ]]; then
            compopt -o default
            COMPREPLY=()
            return
        fi
        COMPREPLY+=("${word#"$prefix"}")
    done < <("${COMP_WORDS[0]}" complete $((${#words[@]} - 1)) -- "${words[@]}" 2>/dev/null)
}

complete -F _kpipe kpipe
