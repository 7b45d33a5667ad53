/// Completion scripts: verbs, flags, and, by asking the server, its services and methods.
enum Completion {
    /// - Throws: `Failure` for other shells.
    static func script(for shell: String) throws(Failure) -> String {
        let flags = Flag.all.flatMap(\.names).map { "-\($0)" }.joined(separator: " ")
        let valued = Flag.all.filter { $0.value != nil }.flatMap(\.names).map { "-\($0)" }
        let script = bash(flags, valued.joined(separator: "|"))
        switch shell {
        case "bash": return script
        // zsh runs bash's functions.
        case "zsh": return "#compdef rpcurl\nautoload -U +X bashcompinit && bashcompinit\n" + script
        default: throw .usage("completion knows bash and zsh, not \(shell)")
        }
    }

    private static func bash(_ flags: String, _ valued: String) -> String {
        """
        # rpcurl completion; load it with: source <(rpcurl completion bash)
        _rpcurl() {
            local current="${COMP_WORDS[COMP_CWORD]}" words=() address= verb= skip= word
            for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                if [ -n "$skip" ]; then skip=; continue; fi
                case "$word" in
                    \(valued)) skip=1 ;;
                    -*) ;;
                    list|describe|call|health|completion) verb="$word" ;;
                    *:*) address="$word" ;;
                    *) words+=("$word") ;;
                esac
            done
            case "$current" in
                -*) COMPREPLY=($(compgen -W "\(flags)" -- "$current")); return ;;
            esac
            if [ -z "$verb" ]; then
                COMPREPLY=($(compgen -W "list describe call health completion" -- "$current"))
            elif [ "$verb" = completion ]; then
                COMPREPLY=($(compgen -W "bash zsh" -- "$current"))
            elif [ -n "$address" ] && [ ${#words[@]} -eq 0 ]; then
                local flags=(-max-time 2)
                [ "$verb" = call ] && flags+=(-methods)
                COMPREPLY=($(compgen -W "$(rpcurl "${flags[@]}" list "$address" 2>/dev/null)" \\
                    -- "$current"))
            fi
        }
        COMP_WORDBREAKS="${COMP_WORDBREAKS//:/}"
        complete -o default -F _rpcurl rpcurl
        """
    }
}
